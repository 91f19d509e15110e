//! [`NewPattern`] and [`PatternChanges`]: parse and check the fields of a pattern in a request.

use bespoke_core::StoredJson;
use bespoke_core::entity::pattern::{PatternContent, sanitise_settings};
use bespoke_core::entity::set::NO_NOTES;
use bespoke_core::validate::{MAX_NAME_BYTES, MAX_NOTES_BYTES};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::body::{JsonObject, truthy};
use crate::config::Config;
use crate::response::{Error, Result};

/// The minimum number of fields of a new pattern: a design and settings.
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

/// The fields of a new pattern that are required or limited, checked.
pub struct CheckedPattern {
    design: String,
    settings: CheckedSettings,
    data: Option<StoredJson>,
}

/// Settings to store, and the names of the measurements that were removed from them.
#[derive(Debug)]
struct CheckedSettings {
    stored: StoredJson,
    removed: Vec<String>,
}

impl CheckedSettings {
    /// Removes invalid measurements. Returns `None` if the settings are too large.
    fn of(mut settings: Value) -> Option<Self> {
        let stored = StoredJson::within_limits(&settings)?;
        let sanitised = sanitise_settings(&mut settings);
        let stored = match sanitised.is_changed {
            true => StoredJson::from(&settings),
            false => stored,
        };
        Some(Self {
            stored,
            removed: sanitised.removed,
        })
    }
}

/// Checks the required fields of a new pattern, and takes them out of the request.
///
/// # Errors
/// 400 `postBodyMissing`, `settingsNotAnObject`, `dataNotAnObject`, `designMissing`, `designNotStringy`, `designTooLong`,
/// `settingsTooLarge`, `dataTooLarge`
pub fn check(body: &mut JsonObject) -> Result<CheckedPattern> {
    if body.len() < MIN_FIELDS {
        return Err(Error::bad_request("postBodyMissing"));
    }
    let settings = body.shift_remove("settings").filter(Value::is_object);
    let settings = settings.ok_or(Error::bad_request("settingsNotAnObject"))?;
    let data = body.shift_remove("data").filter(truthy);
    if data.as_ref().is_some_and(|data| !data.is_object()) {
        return Err(Error::bad_request("dataNotAnObject"));
    }
    let is_given = |design: &&Value| truthy(design);
    let design = body.get("design").filter(is_given);
    let design = design.or_else(|| data.as_ref().and_then(|data| data.get("design")).filter(is_given));
    let design = design.ok_or(Error::bad_request("designMissing"))?;
    let design = design.as_str().ok_or(Error::bad_request("designNotStringy"))?;
    if design.len() > MAX_NAME_BYTES {
        return Err(Error::bad_request("designTooLong"));
    }
    let design = design.to_owned();
    body.shift_remove("design");
    let settings = CheckedSettings::of(settings).ok_or(Error::bad_request("settingsTooLarge"))?;
    let data = data.map(|data| StoredJson::within_limits(&data).ok_or(Error::bad_request("dataTooLarge")));
    Ok(CheckedPattern {
        design,
        settings,
        data: data.transpose()?,
    })
}

/// Creates the content of a pattern from the checked fields and the other fields of a request. Returns the content and the names of the
/// ignored fields.
pub fn create(checked: CheckedPattern, mut body: JsonObject, config: &Config) -> (PatternContent, Vec<String>) {
    for field in ["name", "notes"] {
        // An empty text counts as missing.
        if body.get(field) == Some(&json!("")) {
            body.remove(field);
        }
    }
    let (changes, mut ignored) = Changes::read(body);
    ignored.extend(removed_measurements(checked.settings.removed));
    let mut content = PatternContent {
        design: checked.design,
        name: NO_NOTES.to_owned(),
        notes: NO_NOTES.to_owned(),
        data: checked.data.unwrap_or_else(|| StoredJson::from(&json!({}))),
        settings: checked.settings.stored,
        public: false,
        img: Some(config.default_pattern_image.clone()),
    };
    changes.apply(&mut content);
    (content, ignored)
}

/// Returns the names under which a response lists removed measurements.
fn removed_measurements(removed: Vec<String>) -> impl Iterator<Item = String> {
    removed.into_iter().map(|name| format!("settings.measurements.{name}"))
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
        let mut removed = Vec::new();
        for (field, value) in body {
            match (field.as_str(), value) {
                ("name", Value::String(name)) if name.len() <= MAX_NAME_BYTES => changes.name = Some(name),
                ("notes", Value::String(notes)) if notes.len() <= MAX_NOTES_BYTES => changes.notes = Some(notes),
                ("public", Value::Bool(public)) => changes.public = Some(public),
                ("data", data) if is_structure(&data) => match StoredJson::within_limits(&data) {
                    Some(data) => changes.data = Some(data),
                    None => ignored.push(field),
                },
                ("settings", settings) if is_structure(&settings) => match CheckedSettings::of(settings) {
                    Some(checked) => {
                        changes.settings = Some(checked.stored);
                        removed = checked.removed;
                    }
                    None => ignored.push(field),
                },
                ("test", _) => {}
                _ => ignored.push(field),
            }
        }
        ignored.extend(removed_measurements(removed));
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

/// Returns whether a value has a valid type for `data` and `settings`: an object, an array or null.
fn is_structure(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Object(_) | Value::Array(_))
}

#[cfg(test)]
mod tests {
    use allocation_counter::measure;

    use super::*;
    use crate::config::{Environment, Overrides};
    use crate::system::SystemRandom;

    /// Size of each of the two texts of the pattern, in bytes.
    const TEXT_BYTES: usize = 200_000;

    #[test]
    fn new_pattern_is_serialized_once() {
        let dir = tempfile::tempdir().unwrap();
        let overrides = Overrides {
            data_dir: Some(dir.path().into()),
            ..Overrides::default()
        };
        let config = Config::load(Environment::of([], overrides), &SystemRandom).unwrap();
        let text = "x".repeat(TEXT_BYTES);
        let body =
            json!({ "design": "aaron", "settings": { "text": text, "measurements": {} }, "data": { "text": text } });
        let once = measure(|| {
            let texts = ["settings", "data"].map(|field| StoredJson::from(&body[field]));
            assert!(texts.iter().all(|text| text.len() > TEXT_BYTES));
        });
        let Value::Object(mut body) = body else { unreachable!() };
        let cost = measure(|| {
            let checked = check(&mut body).unwrap();
            let (content, ignored) = create(checked, std::mem::take(&mut body), &config);
            assert!(ignored.is_empty() && content.settings.len() + content.data.len() > 2 * TEXT_BYTES);
        });
        let extra = cost.bytes_total.saturating_sub(once.bytes_total);
        assert!(extra < TEXT_BYTES as u64, "{cost:?}, {once:?}");
    }
}
