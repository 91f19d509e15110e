//! [`TextFields`]: translated texts of curators in responses: `nameDe` to `nameUk`, `notesDe` to `notesUk`, and `tags`. The remark `info`
//! stays in the database, because it is for curators only.

use bespoke_core::entity::texts::Texts;
use bespoke_core::validate::Language;
use serde::ser::{Serialize, SerializeMap, Serializer};
use utoipa::openapi::schema::{Array, ObjectBuilder, Type};
use utoipa::openapi::{KnownFormat, Object, RefOr, Schema, SchemaFormat};

/// The languages and the suffixes of their fields, in the order of the response.
const LANGUAGES: [(Language, &str); 6] = [
    (Language::De, "De"),
    (Language::En, "En"),
    (Language::Es, "Es"),
    (Language::Fr, "Fr"),
    (Language::Nl, "Nl"),
    (Language::Uk, "Uk"),
];

/// The text fields of a record, to be flattened into its object.
#[derive(Debug)]
pub struct TextFields(pub Texts);

impl Serialize for TextFields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(texts) = self;
        let mut fields = serializer.serialize_map(None)?;
        for (stem, translated) in [("name", &texts.names), ("notes", &texts.notes)] {
            for (language, suffix) in LANGUAGES {
                fields.serialize_entry(&format_args!("{stem}{suffix}"), translated.get(language))?;
            }
        }
        fields.serialize_entry("tags", &texts.tags)?;
        fields.end()
    }
}

/// Returns the schema of an object: the fields `before`, the text fields, and the fields `behind`. All are required.
pub fn describe<const B: usize, const A: usize>(
    before: [(&str, RefOr<Schema>); B],
    behind: [(&str, RefOr<Schema>); A],
) -> Object {
    let mut object = ObjectBuilder::new();
    for (name, schema) in before {
        object = object.property(name, schema).required(name);
    }
    for stem in ["name", "notes"] {
        for (_, suffix) in LANGUAGES {
            let name = format!("{stem}{suffix}");
            object = object.property(&name, text()).required(name);
        }
    }
    object = object.property("tags", Array::new(text())).required("tags");
    for (name, schema) in behind {
        object = object.property(name, schema).required(name);
    }
    object.build()
}

/// The schema of a text.
pub fn text() -> RefOr<Schema> {
    of_type(Type::String)
}

/// The schema of an integer.
pub fn integer() -> RefOr<Schema> {
    of_type(Type::Integer)
}

/// The schema of a boolean.
pub fn boolean() -> RefOr<Schema> {
    of_type(Type::Boolean)
}

/// The schema of a timestamp.
pub fn date_time() -> RefOr<Schema> {
    formatted(KnownFormat::DateTime)
}

/// The schema of a UUID.
pub fn uuid() -> RefOr<Schema> {
    formatted(KnownFormat::Uuid)
}

fn formatted(format: KnownFormat) -> RefOr<Schema> {
    let builder = ObjectBuilder::new().schema_type(Type::String);
    builder.format(Some(SchemaFormat::KnownFormat(format))).into()
}

fn of_type(kind: Type) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(kind).into()
}
