//! What a request says about a pattern.

use bespoke_core::StoredJson;
use bespoke_core::entity::pattern::{PatternContent, sanitise_settings};
use bespoke_core::entity::set::NO_NOTES;
use bespoke_core::validate::{MAX_NAME_BYTES, MAX_NOTES_BYTES};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{Config, Error, JsonObject, Result, truthy};

/// Fewest fields of a new pattern: a design, and settings.
const MIN_FIELDS: usize = 2;

/// A new pattern.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub struct NewPattern {
    /// Name of the design; it may stand in `data.design` instead.
    #[schema(example = "aaron")]
    design: Option<String>,
    /// Settings of the design, its measurements among them; at most 256 KiB and 20,000 values, in at most 32 levels.
    #[schema(value_type = HashMap<String, Value>, example = json!({ "sa": 10, "measurements": { "chest": 930 } }))]
    settings: Value,
    /// Name, at most 1024 bytes.
    name: Option<String>,
    /// Notes, as Markdown, at most 64 KiB.
    notes: Option<String>,
    /// Whether anybody may read it.
    public: Option<bool>,
    /// Whatever the client wants to keep with it, within the limits of `settings`.
    #[schema(value_type = Option<HashMap<String, Value>>)]
    data: Option<Value>,
    /// An image (PNG, JPEG, WebP or GIF of at most 5 MiB) as a data URI.
    img: Option<String>,
}

/// Changes of a pattern; what is left out stays, and its design always does.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub struct PatternChanges {
    /// Name.
    name: Option<String>,
    /// Notes, as Markdown.
    notes: Option<String>,
    /// Whether anybody may read it.
    public: Option<bool>,
    /// Replaces what was there: an object, an array or null.
    #[schema(value_type = Option<Value>)]
    data: Option<Value>,
    /// Replaces what was there: an object, an array or null.
    #[schema(value_type = Option<Value>)]
    settings: Option<Value>,
    /// An image (PNG, JPEG, WebP or GIF of at most 5 MiB) as a data URI.
    img: Option<String>,
}

/// Makes sure that the fields of a new pattern have what they need; gives the design.
///
/// # Errors
/// 400 `postBodyMissing`, `settingsNotAnObject`, `dataNotAnObject`, `designMissing`, `designNotStringy`, `designTooLong`,
/// `settingsTooLarge`, `dataTooLarge`
pub fn check(body: &JsonObject) -> Result<String> {
    if body.len() < MIN_FIELDS {
        return Err(Error::bad_request("postBodyMissing"));
    }
    // Null ended the original's process: defect D16.
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

/// A new pattern of these fields, checked before; beside it the names of what was not taken.
pub fn create(design: String, mut body: JsonObject, config: &Config) -> (PatternContent, Vec<String>) {
    body.remove("design");
    for field in ["name", "notes"] {
        // Empty ones count as none.
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

/// The fields of a request that can be taken.
#[derive(Debug, Default)]
pub struct Changes {
    name: Option<String>,
    notes: Option<String>,
    public: Option<bool>,
    data: Option<StoredJson>,
    settings: Option<StoredJson>,
}

impl Changes {
    /// Reads a request. Beside the changes gives the names of what was not taken: fields that are unknown, fixed or
    /// have a value that they cannot have, and measurements that are none (decision D80).
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

    /// Puts the changes over what a pattern says.
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

/// Whether a value can be `data` or `settings`: an object, an array or null, not too large.
fn is_structure(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(_) | Value::Array(_) => StoredJson::fits(value),
        _ => false,
    }
}
