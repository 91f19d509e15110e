//! Option packs in responses: [`OptionPackView`], and the bare document of `/option-packs/{id}.json` and `.yaml`.

use bespoke_core::Timestamp;
use bespoke_core::entity::option_pack;
use bespoke_web::view::texts::{self, TextFields};
use bespoke_web::{Context, JsonObject};
use serde::Serialize;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

const PROVIDER: &str = "FreeSewing.org";
const KIND: &str = "optionPack";
const ABOUT: &str = "Options of a design that go well together.";

/// An option pack.
#[derive(Serialize)]
pub(crate) struct OptionPack;

impl PartialSchema for OptionPack {
    fn schema() -> RefOr<Schema> {
        texts::describe(fields_before_texts(), fields_after_texts()).into()
    }
}

impl ToSchema for OptionPack {}

/// An option pack as a standalone document.
#[derive(Serialize)]
pub(crate) struct OptionPackDocument;

impl PartialSchema for OptionPackDocument {
    fn schema() -> RefOr<Schema> {
        let [id, created_at, design, img] = fields_before_texts();
        let head = [
            ("provider", texts::text()),
            ("type", texts::text()),
            ("about", texts::text()),
            id,
            created_at,
            design,
            img,
        ];
        texts::describe(head, fields_after_texts()).into()
    }
}

impl ToSchema for OptionPackDocument {}

fn fields_before_texts() -> [(&'static str, RefOr<Schema>); 4] {
    [
        ("id", texts::integer()),
        ("createdAt", texts::date_time()),
        ("design", texts::text()),
        ("img", maybe_text()),
    ]
}

fn fields_after_texts() -> [(&'static str, RefOr<Schema>); 5] {
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

/// The fields of an option pack in a response.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OptionPackView {
    id: i64,
    created_at: Timestamp,
    design: String,
    img: Option<String>,
    #[serde(flatten)]
    texts: TextFields,
    options: JsonObject,
    updated_at: Timestamp,
    uuid: Uuid,
    image: Option<String>,
    image_url: Option<String>,
}

/// The document form, without `result`.
#[derive(Serialize)]
pub(crate) struct Document {
    provider: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    about: &'static str,
    #[serde(flatten)]
    pack: OptionPackView,
}

impl OptionPackView {
    /// Creates the public form of an option pack.
    pub(crate) fn new(pack: option_pack::OptionPack, context: &Context) -> Self {
        let content = pack.content;
        Self {
            image_url: context.image_url(content.img.as_deref(), true),
            id: pack.id,
            created_at: pack.created_at,
            design: content.design,
            img: content.img.clone(),
            texts: TextFields(content.texts),
            options: content.options,
            updated_at: pack.updated_at,
            uuid: pack.uuid,
            image: content.img,
        }
    }
}

impl Document {
    /// Creates the document form of an option pack.
    pub(crate) fn new(pack: option_pack::OptionPack, context: &Context) -> Self {
        Self {
            provider: PROVIDER,
            kind: KIND,
            about: ABOUT,
            pack: OptionPackView::new(pack, context),
        }
    }
}
