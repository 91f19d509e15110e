//! [`NewSet`] and [`SetChanges`]: parse and check the fields of a measurement set in a request.

use bespoke_core::entity::set::{NO_NOTES, SetContent};
use bespoke_core::measurement;
use bespoke_core::validate::{MAX_NAME_BYTES, MAX_NOTES_BYTES};
use serde_json::Value;
use utoipa::ToSchema;

use super::measurements::{MeasurementChanges, Units, take_complete, unknown_units};
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
    /// The unit of lengths in `measies`: `mm` (the default), `cm` or `in`. They are stored in millimetres. `metric` and `imperial` mean lengths in
    /// millimetres, and set `imperial` unless the request contains it.
    #[schema(pattern = "^(mm|cm|in|metric|imperial)$")]
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
    /// The unit of lengths in `measies`: `mm` (the default), `cm` or `in`. They are stored in millimetres. `metric` and `imperial` mean lengths in
    /// millimetres, and set `imperial` unless the request contains it.
    #[schema(pattern = "^(mm|cm|in|metric|imperial)$")]
    units: Option<String>,
    /// An image (PNG, JPEG, WebP or GIF of at most 5 MiB) as a data URI.
    img: Option<String>,
}

/// Checks the name and the units of a new set.
///
/// # Errors
/// 400 `nameMissing`, `nameTooLong`, `unitsInvalid`
pub fn check(fields: &JsonObject) -> Result<()> {
    match fields.get("name").and_then(Value::as_str) {
        None | Some("") => Err(Error::bad_request("nameMissing").with_field("name", "is missing or not a text")),
        Some(name) if name.len() > MAX_NAME_BYTES => {
            const { assert!(MAX_NAME_BYTES == 1024, "the text below names this number") };
            Err(Error::bad_request("nameTooLong").with_field("name", "is longer than 1024 bytes"))
        }
        Some(_) => check_units(fields),
    }
}

/// Checks the units of a set.
///
/// # Errors
/// 400 `unitsInvalid`
pub fn check_units(fields: &JsonObject) -> Result<()> {
    match Units::parse(fields.get("units")) {
        Some(_) => Ok(()),
        None => Err(unknown_units("unitsInvalid")),
    }
}

/// Creates the content of a set from the fields of a request, and the names of the ignored fields. The caller has called [`check`].
///
/// # Errors
/// 400 `unitsInvalid`
pub fn create(fields: JsonObject, config: &Config) -> Result<(SetContent, Vec<String>)> {
    let mut content = SetContent {
        name: String::new(),
        notes: NO_NOTES.to_owned(),
        imperial: false,
        public: false,
        measies: Default::default(),
        img: Some(config.default_set_image.clone()),
    };
    let (changes, ignored) = Changes::read(fields)?;
    changes.apply(&mut content);
    Ok((content, ignored))
}

/// Fields of a document that do not belong to the set.
const ENVELOPE: [&str; 3] = ["result", "author", "about"];
/// The value of `type` of a document with a set.
const DOCUMENT: &str = "measurementsSet";

/// Creates the content of a set from a document in the format of public sets or of exports, and the names of the ignored fields.
///
/// # Errors
/// 400 `nameMissing`, `nameTooLong`; `formatUnknown` for another kind of document; `unitsUnknown`; `measurementsInvalid`, with the field and the
/// reason, for an implausible measurement.
pub fn import(mut fields: JsonObject, config: &Config) -> Result<(SetContent, Vec<String>)> {
    fields.retain(|field, _| !ENVELOPE.contains(&field.as_str()));
    if fields.remove("type").is_some_and(|kind| kind != DOCUMENT) {
        return Err(Error::bad_request("formatUnknown").with_field("type", "is not measurementsSet"));
    }
    fields.retain(|_, value| !value.is_null());
    if let Some(name @ (Value::Number(_) | Value::Bool(_))) = fields.get_mut("name") {
        *name = name.to_string().into();
    }
    // In documents, `units` may also be the display preference of the owner.
    let units = Units::parse(fields.remove("units").as_ref()).ok_or_else(|| unknown_units("unitsUnknown"))?;
    check(&fields)?;
    if let Some(imperial) = units.imperial {
        fields.insert("imperial".to_owned(), imperial.into());
    }
    let measies = take_complete(&mut fields, units.length)?;
    fields.insert("measies".to_owned(), Value::Object(measies));
    create(fields, config)
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
    ///
    /// # Errors
    /// 400 `unitsInvalid`
    pub fn read(mut body: JsonObject) -> Result<(Self, Vec<String>)> {
        let mut ignored = Vec::new();
        let MeasurementChanges { measies, imperial } = MeasurementChanges::take(&mut body, &mut ignored)?;
        let mut changes = Self {
            measies,
            imperial,
            ..Self::default()
        };
        for (field, value) in body {
            match (field.as_str(), value) {
                ("name", Value::String(name)) if name.len() <= MAX_NAME_BYTES => changes.name = Some(name),
                ("notes", Value::String(notes)) if notes.len() <= MAX_NOTES_BYTES => changes.notes = Some(notes),
                ("imperial", Value::Bool(imperial)) => changes.imperial = Some(imperial),
                ("public", Value::Bool(public)) => changes.public = Some(public),
                (field, _) if SILENT.contains(&field) => {}
                _ => ignored.push(field),
            }
        }
        Ok((changes, ignored))
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
        let (changes, ignored) = Changes::read(body.as_object().unwrap().clone()).unwrap();
        changes.apply(&mut content);
        assert_eq!(
            ignored,
            ["measies.tail", "measies.chest", "notes", "imperial", "userId"]
        );
        assert_eq!((content.name.as_str(), content.notes.as_str()), ("", "--"));
        assert_eq!((content.imperial, content.public), (false, true));
        assert_eq!(json!(content.measies), json!({ "ankle": 200 }));
    }

    #[test]
    fn imperial_wins_over_the_preference_in_units() {
        for (body, imperial) in [
            (json!({ "units": "imperial" }), Some(true)),
            (json!({ "units": "metric" }), Some(false)),
            (json!({ "units": "in" }), None),
            (json!({ "units": "metric", "imperial": true }), Some(true)),
        ] {
            let (changes, ignored) = Changes::read(body.as_object().unwrap().clone()).unwrap();
            assert_eq!((changes.imperial, ignored.len()), (imperial, 0), "{body}");
        }
    }
}
