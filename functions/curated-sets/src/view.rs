//! How a curated set looks.

use bespoke_core::entity::curated_set;
use bespoke_web::view::schema::Measurements;
use bespoke_web::view::texts;
use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

const AUTHOR: &str = "FreeSewing.org";
const KIND: &str = "curatedMeasurementsSet";
const ABOUT: &str = "Measurements that curators look after. Lengths are in millimetres, shoulderSlope is in degrees.";

/// A curated set.
pub(crate) struct CuratedSet;

impl PartialSchema for CuratedSet {
    fn schema() -> RefOr<Schema> {
        let before = [
            ("id", texts::integer()),
            ("createdAt", texts::date_time()),
            ("height", texts::integer()),
        ];
        let behind = [
            ("measies", Measurements::schema()),
            ("updatedAt", texts::date_time()),
            ("published", texts::boolean()),
            ("uuid", texts::uuid()),
        ];
        texts::describe(before, behind).into()
    }
}

impl ToSchema for CuratedSet {}

/// A curated set as a document of its own.
pub(crate) struct CuratedSetDocument;

impl PartialSchema for CuratedSetDocument {
    fn schema() -> RefOr<Schema> {
        let before = [
            ("author", texts::text()),
            ("type", texts::text()),
            ("about", texts::text()),
            ("id", texts::integer()),
            ("createdAt", texts::date_time()),
            ("height", texts::integer()),
        ];
        let behind = [
            ("updatedAt", texts::date_time()),
            ("published", texts::boolean()),
            ("uuid", texts::uuid()),
            ("measurements", Measurements::schema()),
        ];
        texts::describe(before, behind).into()
    }
}

impl ToSchema for CuratedSetDocument {}

/// The curated set object.
pub(crate) fn curated_set(set: curated_set::CuratedSet) -> Value {
    let mut object = Map::new();
    insert(&mut object, set);
    Value::Object(object)
}

/// The document: without `result`, with the measurements under another name at its end.
pub(crate) fn document(set: curated_set::CuratedSet) -> Value {
    let mut object = Map::new();
    object.insert("author".into(), AUTHOR.into());
    object.insert("type".into(), KIND.into());
    object.insert("about".into(), ABOUT.into());
    insert(&mut object, set);
    let measies = object.shift_remove("measies").unwrap_or_default();
    object.insert("measurements".into(), measies);
    Value::Object(object)
}

fn insert(object: &mut Map<String, Value>, set: curated_set::CuratedSet) {
    let content = set.content;
    object.insert("id".into(), set.id.into());
    object.insert("createdAt".into(), json!(set.created_at));
    object.insert("height".into(), content.height.into());
    texts::insert(object, &content.texts);
    object.insert("measies".into(), Value::Object(content.measies));
    object.insert("updatedAt".into(), json!(set.updated_at));
    object.insert("published".into(), content.published.into());
    object.insert("uuid".into(), json!(set.uuid));
}
