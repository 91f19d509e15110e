//! What a request says about a set.

use bespoke_core::entity::set::{NO_NOTES, SetContent};
use bespoke_core::measurement::{self, is_valid};
use bespoke_core::validate::{MAX_NAME_BYTES, MAX_NOTES_BYTES};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{Config, Error, JsonObject, Result};

/// Fields that clients send for other reasons, and that are no mistake.
const SILENT: [&str; 1] = ["test"];

/// A new set.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub struct NewSet {
    /// Name, at most 1024 bytes.
    #[schema(example = "Jane")]
    name: String,
    /// Notes, as Markdown, at most 64 KiB.
    notes: Option<String>,
    /// Whether clients show inches. What is sent and stored is millimetres either way.
    imperial: Option<bool>,
    /// Whether anybody may read it.
    public: Option<bool>,
    #[schema(value_type = Option<crate::view::schema::Measurements>)]
    measies: Option<JsonObject>,
    /// An image (PNG, JPEG, WebP or GIF of at most 5 MiB) as a data URI.
    img: Option<String>,
}

/// Changes of a set; what is left out stays.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub struct SetChanges {
    /// Name.
    name: Option<String>,
    /// Notes, as Markdown.
    notes: Option<String>,
    /// Whether clients show inches.
    imperial: Option<bool>,
    /// Whether anybody may read it.
    public: Option<bool>,
    /// Measurements to add or change; `null` takes one out.
    #[schema(value_type = Option<HashMap<String, Option<f64>>>, example = json!({ "chest": 930, "neck": null }))]
    measies: Option<JsonObject>,
    /// An image (PNG, JPEG, WebP or GIF of at most 5 MiB) as a data URI.
    img: Option<String>,
}

/// Makes sure that the fields of a new set have a name.
///
/// # Errors
/// 400 `nameMissing`, `nameTooLong`
pub fn check(fields: &JsonObject) -> Result<()> {
    match fields.get("name").and_then(Value::as_str) {
        None | Some("") => Err(Error::bad_request("nameMissing")),
        Some(name) if name.len() > MAX_NAME_BYTES => Err(Error::bad_request("nameTooLong")),
        Some(_) => Ok(()),
    }
}

/// A new set of these fields, checked before; beside it the names of what was not taken.
pub fn create(fields: JsonObject, config: &Config) -> (SetContent, Vec<String>) {
    let mut content = SetContent {
        name: String::new(),
        notes: NO_NOTES.to_owned(),
        imperial: false,
        public: false,
        measies: Default::default(),
        img: Some(config.default_set_image.clone()),
    };
    let (changes, ignored) = Changes::read(fields);
    changes.apply(&mut content);
    (content, ignored)
}

/// The fields of a request that can be taken.
#[derive(Debug, Default)]
pub struct Changes {
    name: Option<String>,
    notes: Option<String>,
    imperial: Option<bool>,
    public: Option<bool>,
    measies: JsonObject,
}

impl Changes {
    /// Reads a request. Beside the changes gives the names of what was not taken: fields that are unknown, fixed or
    /// have a value that they cannot have, and measurements that are none (decision D80).
    pub fn read(body: JsonObject) -> (Self, Vec<String>) {
        let (mut changes, mut ignored) = (Self::default(), Vec::new());
        for (field, value) in body {
            match (field.as_str(), value) {
                ("name", Value::String(name)) if name.len() <= MAX_NAME_BYTES => changes.name = Some(name),
                ("notes", Value::String(notes)) if notes.len() <= MAX_NOTES_BYTES => changes.notes = Some(notes),
                ("imperial", Value::Bool(imperial)) => changes.imperial = Some(imperial),
                ("public", Value::Bool(public)) => changes.public = Some(public),
                ("measies", Value::Object(measies)) => changes.measies = measies,
                ("measies", Value::Null) => {}
                (field, _) if SILENT.contains(&field) => {}
                _ => ignored.push(field),
            }
        }
        // `null` is how a measurement is taken out: that is done, not ignored.
        let dropped = changes
            .measies
            .iter()
            .filter(|(name, value)| !value.is_null() && !is_valid(name, value));
        ignored.extend(dropped.map(|(name, _)| format!("measies.{name}")));
        (changes, ignored)
    }

    /// Puts the changes over what a set says.
    pub fn apply(&self, content: &mut SetContent) {
        let Self {
            name,
            notes,
            imperial,
            public,
            measies,
        } = self;
        if let Some(name) = name {
            content.name.clone_from(name);
        }
        if let Some(notes) = notes {
            content.notes.clone_from(notes);
        }
        content.imperial = imperial.unwrap_or(content.imperial);
        content.public = public.unwrap_or(content.public);
        content.measies = measurement::merge(std::mem::take(&mut content.measies), measies.clone());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn valid_fields_are_taken_and_the_rest_is_named() {
        let mut content = SetContent {
            name: "n".into(),
            notes: "--".into(),
            imperial: false,
            public: false,
            measies: json!({ "chest": 930, "neck": 360 }).as_object().unwrap().clone(),
            img: None,
        };
        let body = json!({ "name": "", "notes": 3, "imperial": "yes", "public": true, "userId": 7, "test": true,
            "measies": { "neck": null, "ankle": 200.0, "tail": 3, "chest": "wide" } });
        let (changes, ignored) = Changes::read(body.as_object().unwrap().clone());
        changes.apply(&mut content);
        assert_eq!(
            ignored,
            ["notes", "imperial", "userId", "measies.tail", "measies.chest"]
        );
        assert_eq!((content.name.as_str(), content.notes.as_str()), ("", "--"));
        assert_eq!((content.imperial, content.public), (false, true));
        assert_eq!(json!(content.measies), json!({ "ankle": 200 }));
    }
}
