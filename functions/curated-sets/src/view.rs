//! Curated sets in responses: [`CuratedSetView`], and the bare document of `/curated-sets/{id}.json` and `.yaml`.

use bespoke_core::entity::curated_set;
use bespoke_core::{Timestamp, measurement};
use bespoke_web::view::schema::Measurements;
use bespoke_web::view::texts::{self, TextFields};
use serde::Serialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

const AUTHOR: &str = "FreeSewing.org";
const KIND: &str = "curatedMeasurementsSet";
const ABOUT: &str = "Measurements that curators look after. Lengths are in millimetres, shoulderSlope is in degrees.";

/// A curated set.
pub(crate) struct CuratedSet;

impl PartialSchema for CuratedSet {
    fn schema() -> RefOr<Schema> {
        let before_texts = [
            ("id", texts::integer()),
            ("createdAt", texts::date_time()),
            ("height", texts::integer()),
        ];
        let after_texts = [
            ("measies", Measurements::schema()),
            ("updatedAt", texts::date_time()),
            ("published", texts::boolean()),
            ("uuid", texts::uuid()),
        ];
        texts::describe(before_texts, after_texts).into()
    }
}

impl ToSchema for CuratedSet {}

/// A curated set as a standalone document.
pub(crate) struct CuratedSetDocument;

impl PartialSchema for CuratedSetDocument {
    fn schema() -> RefOr<Schema> {
        let before_texts = [
            ("author", texts::text()),
            ("type", texts::text()),
            ("about", texts::text()),
            ("id", texts::integer()),
            ("createdAt", texts::date_time()),
            ("height", texts::integer()),
        ];
        let after_texts = [
            ("updatedAt", texts::date_time()),
            ("published", texts::boolean()),
            ("uuid", texts::uuid()),
            ("measurements", Measurements::schema()),
        ];
        texts::describe(before_texts, after_texts).into()
    }
}

impl ToSchema for CuratedSetDocument {}

/// The fields of a curated set in a response.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CuratedSetView<M> {
    id: i64,
    created_at: Timestamp,
    height: i64,
    #[serde(flatten)]
    texts: TextFields,
    measies: M,
    updated_at: Timestamp,
    published: bool,
    uuid: Uuid,
}

impl<M> From<curated_set::CuratedSet<M>> for CuratedSetView<M> {
    fn from(set: curated_set::CuratedSet<M>) -> Self {
        Self {
            id: set.id,
            created_at: set.created_at,
            height: set.content.height,
            texts: TextFields(set.content.texts),
            measies: set.content.measies,
            updated_at: set.updated_at,
            published: set.content.published,
            uuid: set.uuid,
        }
    }
}

/// The document form: without `result`, and with the measurements at its end under another name.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document {
    author: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    about: &'static str,
    id: i64,
    created_at: Timestamp,
    height: i64,
    #[serde(flatten)]
    texts: TextFields,
    updated_at: Timestamp,
    published: bool,
    uuid: Uuid,
    measurements: measurement::Measurements,
}

impl From<curated_set::CuratedSet> for Document {
    fn from(set: curated_set::CuratedSet) -> Self {
        Self {
            author: AUTHOR,
            kind: KIND,
            about: ABOUT,
            id: set.id,
            created_at: set.created_at,
            height: set.content.height,
            texts: TextFields(set.content.texts),
            updated_at: set.updated_at,
            published: set.content.published,
            uuid: set.uuid,
            measurements: set.content.measies,
        }
    }
}
