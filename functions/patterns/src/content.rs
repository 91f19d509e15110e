//! What a request says about a pattern.

use bespoke_core::entity::pattern::{PatternContent, sanitise_settings};
use bespoke_core::validate::{MAX_NAME_BYTES, MAX_NOTES_BYTES};
use bespoke_web::JsonObject;
use serde_json::Value;
use utoipa::ToSchema;

/// The largest `data` or `settings` of a pattern, as JSON, in bytes.
pub(crate) const MAX_JSON_BYTES: usize = 256 * 1024;

/// A new pattern.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct NewPattern {
    /// Name of the design; it may stand in `data.design` instead.
    #[schema(example = "aaron")]
    design: Option<String>,
    /// Settings of the design, its measurements among them; at most 256 KiB.
    #[schema(value_type = HashMap<String, Value>, example = json!({ "sa": 10, "measurements": { "chest": 930 } }))]
    settings: Value,
    /// Name, at most 1024 bytes.
    name: Option<String>,
    /// Notes, as Markdown, at most 64 KiB.
    notes: Option<String>,
    /// Whether anybody may read it.
    public: Option<bool>,
    /// Whatever the client wants to keep with it; at most 256 KiB.
    #[schema(value_type = Option<HashMap<String, Value>>)]
    data: Option<Value>,
    /// An image (PNG, JPEG, WebP or GIF of at most 5 MiB) as a data URI.
    img: Option<String>,
}

/// Changes of a pattern; what is left out stays, and its design always does.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct PatternChanges {
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

/// The fields of a request that can be taken.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    name: Option<String>,
    notes: Option<String>,
    public: Option<bool>,
    data: Option<Value>,
    settings: Option<Value>,
}

impl Changes {
    /// Reads a request. Beside the changes gives the names of what was not taken: fields that are unknown, fixed or
    /// have a value that they cannot have, and measurements that are none (decision D80).
    pub(crate) fn read(body: JsonObject) -> (Self, Vec<String>) {
        let (mut changes, mut ignored) = (Self::default(), Vec::new());
        let mut dropped = Vec::new();
        for (field, value) in body {
            match (field.as_str(), value) {
                ("name", Value::String(name)) if name.len() <= MAX_NAME_BYTES => changes.name = Some(name),
                ("notes", Value::String(notes)) if notes.len() <= MAX_NOTES_BYTES => changes.notes = Some(notes),
                ("public", Value::Bool(public)) => changes.public = Some(public),
                ("data", data) if is_structure(&data) => changes.data = Some(data),
                ("settings", mut settings) if is_structure(&settings) => {
                    dropped = sanitise_settings(&mut settings);
                    changes.settings = Some(settings);
                }
                ("test", _) => {}
                _ => ignored.push(field),
            }
        }
        ignored.extend(dropped.into_iter().map(|name| format!("settings.measurements.{name}")));
        (changes, ignored)
    }

    /// Puts the changes over what a pattern says.
    pub(crate) fn apply(&self, content: &mut PatternContent) {
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

/// What `data` and `settings` can be: an object, an array or null, not too large.
fn is_structure(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(_) | Value::Array(_) => value.to_string().len() <= MAX_JSON_BYTES,
        _ => false,
    }
}
