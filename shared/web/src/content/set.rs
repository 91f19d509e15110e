//! What a request says about a set.

use bespoke_core::entity::set::{NO_NOTES, SetContent};
use bespoke_core::measurement::{self, LengthUnit, is_plausible, is_valid, unit};
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
    /// The unit of lengths in `measies`: `mm` (without this field), `cm` or `in`. What is stored is millimetres.
    #[schema(pattern = "^(mm|cm|in)$")]
    units: Option<String>,
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
    /// The unit of lengths in `measies`: `mm` (without this field), `cm` or `in`. What is stored is millimetres.
    #[schema(pattern = "^(mm|cm|in)$")]
    units: Option<String>,
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

/// What a document says of itself, and of a set nothing.
const ENVELOPE: [&str; 3] = ["result", "author", "about"];
/// What `type` says of a document that is a set.
const DOCUMENT: &str = "measurementsSet";

/// A set of the fields of a document, as the public forms of a set and an export have them; beside it the names of what was not
/// taken.
///
/// # Errors
/// 400 `nameMissing`, `nameTooLong`; `formatUnknown` for another kind of document; `unitsUnknown`; `measurementsInvalid` for
/// what is no number that a body can measure.
pub fn import(mut fields: JsonObject, config: &Config) -> Result<(SetContent, Vec<String>)> {
    fields.retain(|field, _| !ENVELOPE.contains(&field.as_str()));
    if fields.remove("type").is_some_and(|kind| kind != DOCUMENT) {
        return Err(Error::bad_request("formatUnknown"));
    }
    check(&fields)?;
    if let Some(measurements) = fields.remove("measurements") {
        fields.entry("measies").or_insert(measurements);
    }
    // A document says here what its owner wants to see.
    let mut units = LengthUnit::Millimetre;
    match fields.remove("units") {
        Some(Value::String(shown)) if shown == "metric" || shown == "imperial" => {
            fields.insert("imperial".to_owned(), (shown == "imperial").into());
        }
        Some(Value::String(name)) => units = crate::lookup::units(Some(&name))?,
        Some(Value::Null) | None => {}
        Some(_) => return Err(Error::bad_request("unitsUnknown")),
    }
    if let Some(sent) = fields.remove("measies") {
        fields.insert("measies".to_owned(), Value::Object(measurements(sent, units)?));
    }
    Ok(create(fields, config))
}

/// Measurements as they were sent, in millimetres and degrees. Names of none stay, for the answer to name them.
///
/// # Errors
/// 400 `measurementsInvalid` for what is no object, and for a measurement that is no number, not above zero, or more than a body
/// can measure.
pub fn measurements(sent: Value, units: LengthUnit) -> Result<JsonObject> {
    let invalid = || Error::bad_request("measurementsInvalid");
    let Value::Object(sent) = sent else {
        return Err(invalid());
    };
    let stored = units.to_stored(sent);
    let plausible = |(name, value): (&String, &Value)| unit(name).is_none() || is_plausible(name, value);
    if stored.iter().all(plausible) {
        Ok(stored)
    } else {
        Err(invalid())
    }
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
        let mut units = Some(LengthUnit::Millimetre);
        for (field, value) in body {
            match (field.as_str(), value) {
                ("name", Value::String(name)) if name.len() <= MAX_NAME_BYTES => changes.name = Some(name),
                ("notes", Value::String(notes)) if notes.len() <= MAX_NOTES_BYTES => changes.notes = Some(notes),
                ("imperial", Value::Bool(imperial)) => changes.imperial = Some(imperial),
                ("public", Value::Bool(public)) => changes.public = Some(public),
                ("measies", Value::Object(measies)) => changes.measies = measies,
                ("measies", Value::Null) => {}
                ("units", Value::Null) => {}
                ("units", value) => {
                    units = value.as_str().and_then(|name| name.parse().ok());
                    if units.is_none() {
                        ignored.push(field);
                    }
                }
                (field, _) if SILENT.contains(&field) => {}
                _ => ignored.push(field),
            }
        }
        changes.measies = match units {
            Some(units) => units.to_stored(changes.measies),
            // Better not stored than stored in a wrong unit.
            None => {
                ignored.extend(changes.measies.keys().map(|name| format!("measies.{name}")));
                JsonObject::new()
            }
        };
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

    #[test]
    fn lengths_come_in_any_unit_and_an_unknown_unit_takes_none() {
        let read = |body: Value| {
            let (changes, ignored) = Changes::read(body.as_object().unwrap().clone());
            (json!(changes.measies), ignored)
        };
        let none: Vec<String> = Vec::new();
        let inches = json!({ "measies": { "chest": 36.5, "shoulderSlope": 13, "neck": null }, "units": "in" });
        assert_eq!(
            read(inches),
            (json!({ "chest": 927.1, "shoulderSlope": 13, "neck": null }), none)
        );
        let before = json!({ "units": "cm", "measies": { "chest": 92.5, "ankle": 1e308 } });
        assert_eq!(
            read(before),
            (
                json!({ "chest": 925, "ankle": false }),
                vec!["measies.ankle".to_owned()]
            )
        );
        for units in [json!("ell"), json!(7), json!(["in"])] {
            let unknown = json!({ "measies": { "chest": 36.5 }, "units": units });
            assert_eq!(
                read(unknown),
                (json!({}), vec!["units".to_owned(), "measies.chest".to_owned()])
            );
        }
    }
}
