//! How an option pack looks.

use bespoke_core::entity::option_pack;
use bespoke_web::Context;
use bespoke_web::view::texts;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

const PROVIDER: &str = "FreeSewing.org";
const KIND: &str = "optionPack";
const ABOUT: &str = "Options of a design that go well together.";

/// An option pack.
#[derive(Serialize)]
pub(crate) struct OptionPack;

impl PartialSchema for OptionPack {
    fn schema() -> RefOr<Schema> {
        texts::describe(before(), behind()).into()
    }
}

impl ToSchema for OptionPack {}

/// An option pack as a document of its own.
#[derive(Serialize)]
pub(crate) struct OptionPackDocument;

impl PartialSchema for OptionPackDocument {
    fn schema() -> RefOr<Schema> {
        let [id, created_at, design, img] = before();
        let head = [
            ("provider", texts::text()),
            ("type", texts::text()),
            ("about", texts::text()),
            id,
            created_at,
            design,
            img,
        ];
        texts::describe(head, behind()).into()
    }
}

impl ToSchema for OptionPackDocument {}

fn before() -> [(&'static str, RefOr<Schema>); 4] {
    [
        ("id", texts::integer()),
        ("createdAt", texts::date_time()),
        ("design", texts::text()),
        ("img", maybe_text()),
    ]
}

fn behind() -> [(&'static str, RefOr<Schema>); 5] {
    let options = ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(true)));
    [
        ("options", options.into()),
        ("updatedAt", texts::date_time()),
        ("uuid", texts::uuid()),
        ("image", maybe_text()),
        ("imageUrl", maybe_text()),
    ]
}

fn maybe_text() -> RefOr<Schema> {
    let kind = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new().schema_type(kind).into()
}

/// The option pack object.
pub(crate) fn option_pack(pack: option_pack::OptionPack, context: &Context) -> Value {
    let mut object = Map::new();
    insert(&mut object, pack, context);
    Value::Object(object)
}

/// The document: without `result`.
pub(crate) fn document(pack: option_pack::OptionPack, context: &Context) -> Value {
    let mut object = Map::new();
    object.insert("provider".into(), PROVIDER.into());
    object.insert("type".into(), KIND.into());
    object.insert("about".into(), ABOUT.into());
    insert(&mut object, pack, context);
    Value::Object(object)
}

fn insert(object: &mut Map<String, Value>, pack: option_pack::OptionPack, context: &Context) {
    let content = pack.content;
    object.insert("id".into(), pack.id.into());
    object.insert("createdAt".into(), json!(pack.created_at));
    object.insert("design".into(), content.design.into());
    object.insert("img".into(), json!(content.img));
    texts::insert(object, &content.texts);
    object.insert("options".into(), Value::Object(content.options));
    object.insert("updatedAt".into(), json!(pack.updated_at));
    object.insert("uuid".into(), json!(pack.uuid));
    object.insert("image".into(), json!(content.img));
    object.insert(
        "imageUrl".into(),
        json!(context.image_url(content.img.as_deref(), true)),
    );
}
