//! Patterns in requests.

use bespoke_core::StoredJson;
use bespoke_core::entity::pattern::{PatternContent, sanitise_settings};
use bespoke_core::entity::set::NO_NOTES;
use bespoke_core::validate::{MAX_NAME_BYTES, MAX_NOTES_BYTES};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::body::{JsonObject, truthy};
use crate::config::Config;
use crate::response::{Error, Result};

/// The fewest fields of a new pattern: a design and settings.
const MIN_FIELDS: usize = 2;

/// A new pattern.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub struct NewPattern {
    /// Name of the design; alternatively in `data.design`.
    #[schema(example = "aaron")]
    design: Option<String>,
    /// Settings of the design, including measurements; at most 256 KiB and 20,000 values in 32 levels.
    #[schema(value_type = HashMap<String, Value>, example = json!({ "sa": 10, "measurements": { "chest": 930 } }))]
    settings: Value,
    /// Name, at most 1024 bytes.
    name: Option<String>,
    /// Notes, as Markdown, at most 64 KiB.
    notes: Option<String>,
    /// Whether the pattern is public.
    public: Option<bool>,
    /// Data of the client, within the limits of `settings`.
    #[schema(value_type = Option<HashMap<String, Value>>)]
    data: Option<Value>,
    /// An image (PNG, JPEG, WebP or GIF of at most 5 MiB) as a data URI.
    img: Option<String>,
}

/// Changes of a pattern. Missing fields stay unchanged. The design cannot be changed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub struct PatternChanges {
    /// Name.
    name: Option<String>,
    /// Notes, as Markdown.
    notes: Option<String>,
    /// Whether the pattern is public.
    public: Option<bool>,
    /// Replaces the previous value: an object, an array or null.
    #[schema(value_type = Option<Value>)]
    data: Option<Value>,
    /// Replaces the previous value: an object, an array or null.
    #[schema(value_type = Option<Value>)]
    settings: Option<Value>,
    /// An image (PNG, JPEG, WebP or GIF of at most 5 MiB) as a data URI.
    img: Option<String>,
}

/// Checks the required fields of a new pattern, and returns its design.
///
/// # Errors
/// 400 `postBodyMissing`, `settingsNotAnObject`, `dataNotAnObject`, `designMissing`, `designNotStringy`, `designTooLong`,
/// `settingsTooLarge`, `dataTooLarge`
pub fn check(body: &JsonObject) -> Result<String> {
    if body.len() < MIN_FIELDS {
        return Err(Error::bad_request("postBodyMissing"));
    }
    let settings = body.get("settings").filter(|settings| settings.is_object());
    let settings = settings.ok_or(Error::bad_request("settingsNotAnObject"))?;
    let data = body.get("data").filter(|data| truthy(data));
    if data.is_some_and(|data| !data.is_object()) {
        return Err(Error::bad_request("dataNotAnObject"));
    }
    let given = |design: &&Value| truthy(design);
    let design = body.get("design").filter(given);
    let design = design.or_else(|| data.and_then(|data| data.get("design")).filter(given));
    let design = design.ok_or(Error::bad_request("designMissing"))?;
    let design = design.as_str().ok_or(Error::bad_request("designNotStringy"))?;
    if design.len() > MAX_NAME_BYTES {
        return Err(Error::bad_request("designTooLong"));
    }
    if !StoredJson::fits(settings) {
        return Err(Error::bad_request("settingsTooLarge"));
    }
    if data.is_some_and(|data| !StoredJson::fits(data)) {
        return Err(Error::bad_request("dataTooLarge"));
    }
    Ok(design.to_owned())
}

/// Creates the content of a pattern from the fields of a request, and the names of the ignored fields. The caller has called [`check`].
pub fn create(design: String, mut body: JsonObject, config: &Config) -> (PatternContent, Vec<String>) {
    body.remove("design");
    for field in ["name", "notes"] {
        // An empty text counts as missing.
        if body.get(field) == Some(&json!("")) {
            body.remove(field);
        }
    }
    if body.get("data").is_some_and(|data| !truthy(data)) {
        body.remove("data");
    }
    let (changes, ignored) = Changes::read(body);
    let mut settings = json!({});
    sanitise_settings(&mut settings);
    let mut content = PatternContent {
        design,
        name: NO_NOTES.to_owned(),
        notes: NO_NOTES.to_owned(),
        data: StoredJson::from(&json!({})),
        settings: StoredJson::from(&settings),
        public: false,
        img: Some(config.default_pattern_image.clone()),
    };
    changes.apply(&mut content);
    (content, ignored)
}

/// The valid fields of a request.
#[derive(Debug, Default)]
pub struct Changes {
    name: Option<String>,
    notes: Option<String>,
    public: Option<bool>,
    data: Option<StoredJson>,
    settings: Option<StoredJson>,
}

impl Changes {
    /// Parses the fields of a request. Returns the changes and the names of the ignored fields: unknown fields, read-only fields, fields with an
    /// invalid value, and invalid measurements. Ignored fields do not fail the request; the response lists them.
    pub fn read(body: JsonObject) -> (Self, Vec<String>) {
        let (mut changes, mut ignored) = (Self::default(), Vec::new());
        let mut dropped = Vec::new();
        for (field, value) in body {
            match (field.as_str(), value) {
                ("name", Value::String(name)) if name.len() <= MAX_NAME_BYTES => changes.name = Some(name),
                ("notes", Value::String(notes)) if notes.len() <= MAX_NOTES_BYTES => changes.notes = Some(notes),
                ("public", Value::Bool(public)) => changes.public = Some(public),
                ("data", data) if is_structure(&data) => changes.data = Some(StoredJson::from(&data)),
                ("settings", mut settings) if is_structure(&settings) => {
                    dropped = sanitise_settings(&mut settings);
                    changes.settings = Some(StoredJson::from(&settings));
                }
                ("test", _) => {}
                _ => ignored.push(field),
            }
        }
        ignored.extend(dropped.into_iter().map(|name| format!("settings.measurements.{name}")));
        (changes, ignored)
    }

    /// Applies the changes to the content of a pattern.
    pub fn apply(&self, content: &mut PatternContent) {
        if let Some(name) = &self.name {
            content.name.clone_from(name);
        }
        if let Some(notes) = &self.notes {
            content.notes.clone_from(notes);
        }
        content.public = self.public.unwrap_or(content.public);
        if let Some(data) = &self.data {
            content.data.clone_from(data);
        }
        if let Some(settings) = &self.settings {
            content.settings.clone_from(settings);
        }
    }
}

/// Whether a value is valid for `data` and `settings`: an object, an array or null within the limits.
fn is_structure(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(_) | Value::Array(_) => StoredJson::fits(value),
        _ => false,
    }
}
