//! [`Changes`]: parses and checks the fields of an option pack in a request, and applies them to the stored content.

use bespoke_core::StoredJson;
use bespoke_core::entity::option_pack::OptionPackContent;
use bespoke_web::{JsonObject, TextChanges};
use serde_json::Value;
use utoipa::ToSchema;

/// Limit for the options of a pack, as JSON, in bytes.
pub(crate) const MAX_OPTIONS_BYTES: usize = 64 * 1024;

/// An option pack, or changes of one. Missing fields do not change. The names and notes in the other languages are further fields:
/// `nameDe`, `notesFr` and so on.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct OptionPackRequest {
    /// Name of the design. Required for a new pack, and cannot be changed.
    #[schema(example = "aaron")]
    design: Option<String>,
    /// Name in English, at most 1024 bytes. Required for a new pack.
    #[schema(example = "Loose")]
    name_en: Option<String>,
    /// Notes in English, in Markdown, at most 64 KiB.
    notes_en: Option<String>,
    /// Tags.
    tags: Option<Vec<String>>,
    /// Options to add or change, by name. `null` removes an option. At most 64 KiB.
    #[schema(value_type = Option<HashMap<String, Value>>, example = json!({ "chestEase": 0.1 }))]
    options: Option<JsonObject>,
    /// Remarks for curators. Other users cannot read them.
    info: Option<String>,
    /// An image (PNG, JPEG, WebP or GIF of at most 5 MiB) as a data URI.
    img: Option<String>,
}

/// The valid fields of a request.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    texts: TextChanges,
    options: JsonObject,
}

impl Changes {
    /// Parses a request. Also returns the names of the ignored fields.
    pub(crate) fn read(body: JsonObject) -> (Self, Vec<String>) {
        let (mut changes, mut ignored) = (Self::default(), Vec::new());
        for (field, value) in body {
            let taken = match (field.as_str(), &value) {
                ("options", Value::Object(options)) => {
                    changes.options.clone_from(options);
                    true
                }
                ("options", Value::Null) | ("test", _) => true,
                (field, value) => changes.texts.take(field, value),
            };
            if !taken {
                ignored.push(field);
            }
        }
        (changes, ignored)
    }

    /// Applies the changes to the content of an option pack. Returns whether the result is within the limits.
    pub(crate) fn apply(&self, content: &mut OptionPackContent) -> bool {
        self.texts.apply(&mut content.texts);
        let mut options = content.options.clone();
        for (name, value) in &self.options {
            options.insert(name.clone(), value.clone());
        }
        options.retain(|_, value| !value.is_null());
        let value = Value::Object(options.clone());
        let is_within_limits =
            StoredJson::within_limits(&value).is_some_and(|stored| stored.len() <= MAX_OPTIONS_BYTES);
        if is_within_limits {
            content.options = options;
        }
        is_within_limits
    }
}
