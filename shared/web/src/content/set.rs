//! Measurement sets in requests.

use bespoke_core::entity::set::{NO_NOTES, SetContent};
use bespoke_core::measurement::{self, LengthUnit, is_plausible, is_valid, unit};
use bespoke_core::validate::{MAX_NAME_BYTES, MAX_NOTES_BYTES};
use serde_json::Value;
use utoipa::ToSchema;

use super::lookup;
use crate::body::JsonObject;
use crate::config::Config;
use crate::response::{Error, Result};

/// Fields that clients send for other purposes. They are not listed as ignored.
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
    /// Whether clients display inches. Requests and responses contain millimetres in both cases.
    imperial: Option<bool>,
    /// Whether the set is public.
    public: Option<bool>,
    #[schema(value_type = Option<crate::view::schema::Measurements>)]
    measies: Option<JsonObject>,
    /// The unit of lengths in `measies`: `mm` (the default), `cm` or `in`. They are stored in millimetres.
    #[schema(pattern = "^(mm|cm|in)$")]
    units: Option<String>,
    /// An image (PNG, JPEG, WebP or GIF of at most 5 MiB) as a data URI.
    img: Option<String>,
}

/// Changes of a set. Missing fields stay unchanged.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub struct SetChanges {
    /// Name.
    name: Option<String>,
    /// Notes, as Markdown.
    notes: Option<String>,
    /// Whether clients display inches.
    imperial: Option<bool>,
    /// Whether the set is public.
    public: Option<bool>,
    /// Measurements to add or change; `null` removes one.
    #[schema(value_type = Option<HashMap<String, Option<f64>>>, example = json!({ "chest": 930, "neck": null }))]
    measies: Option<JsonObject>,
    /// The unit of lengths in `measies`: `mm` (the default), `cm` or `in`. They are stored in millimetres.
    #[schema(pattern = "^(mm|cm|in)$")]
    units: Option<String>,
    /// An image (PNG, JPEG, WebP or GIF of at most 5 MiB) as a data URI.
    img: Option<String>,
}

/// Checks that a new set has a name.
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

/// Creates the content of a set from the fields of a request, and the names of the ignored fields. The caller has called [`check`].
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

/// Fields of a document that do not belong to the set.
const ENVELOPE: [&str; 3] = ["result", "author", "about"];
/// The value of `type` of a document with a set.
const DOCUMENT: &str = "measurementsSet";

/// Creates the content of a set from a document in the format of public sets or of exports, and the names of the ignored fields.
///
/// # Errors
/// 400 `nameMissing`, `nameTooLong`; `formatUnknown` for another kind of document; `unitsUnknown`; `measurementsInvalid` for an implausible
/// measurement.
pub fn import(mut fields: JsonObject, config: &Config) -> Result<(SetContent, Vec<String>)> {
    fields.retain(|field, _| !ENVELOPE.contains(&field.as_str()));
    if fields.remove("type").is_some_and(|kind| kind != DOCUMENT) {
        return Err(Error::bad_request("formatUnknown"));
    }
    check(&fields)?;
    if let Some(measurements) = fields.remove("measurements") {
        fields.entry("measies").or_insert(measurements);
    }
    // In documents, `units` may also be the display preference of the owner.
    let mut units = LengthUnit::Millimetre;
    match fields.remove("units") {
        Some(Value::String(shown)) if shown == "metric" || shown == "imperial" => {
            fields.insert("imperial".to_owned(), (shown == "imperial").into());
        }
        Some(Value::String(name)) => units = lookup::units(Some(&name))?,
        Some(Value::Null) | None => {}
        Some(_) => return Err(Error::bad_request("unitsUnknown")),
    }
    if let Some(sent) = fields.remove("measies") {
        fields.insert("measies".to_owned(), Value::Object(measurements(sent, units)?));
    }
    Ok(create(fields, config))
}

/// Converts measurements to millimetres and degrees. Unknown names stay, so that the response can list them as ignored.
///
/// # Errors
/// 400 `measurementsInvalid` if `sent` is not an object, or if a measurement is not a number, not above zero, or larger than a body can be.
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

/// The valid fields of a request.
#[derive(Debug, Default)]
pub struct Changes {
    name: Option<String>,
    notes: Option<String>,
    imperial: Option<bool>,
    public: Option<bool>,
    measies: JsonObject,
}

impl Changes {
    /// Parses the fields of a request. Returns the changes and the names of the ignored fields: unknown fields, read-only fields, fields with an
    /// invalid value, and invalid measurements. Ignored fields do not fail the request; the response lists them.
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
            // Measurements in an unknown unit are ignored, because they would be stored in a wrong unit.
            None => {
                ignored.extend(changes.measies.keys().map(|name| format!("measies.{name}")));
                JsonObject::new()
            }
        };
        // `null` removes a measurement, so it is not an ignored value.
        let dropped = changes
            .measies
            .iter()
            .filter(|(name, value)| !value.is_null() && !is_valid(name, value));
        ignored.extend(dropped.map(|(name, _)| format!("measies.{name}")));
        (changes, ignored)
    }

    /// Applies the changes to the content of a set.
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
    fn valid_fields_are_applied_and_others_listed() {
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
    fn lengths_are_converted_and_unknown_units_ignored() {
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
