//! What a request says about an option pack.

use bespoke_core::StoredJson;
use bespoke_core::entity::option_pack::OptionPackContent;
use bespoke_web::{JsonObject, TextChanges};
use serde_json::Value;
use utoipa::ToSchema;

/// The largest options of a pack, as JSON, in bytes.
pub(crate) const MAX_OPTIONS_BYTES: usize = 64 * 1024;

/// An option pack, or changes of one: what is left out stays. Beside these there are the names and notes in the other
/// languages: `nameDe`, `notesFr` and so on.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct OptionPackRequest {
    /// Name of the design. A new pack needs one; it never changes.
    #[schema(example = "aaron")]
    design: Option<String>,
    /// Name in English, at most 1024 bytes. A new pack needs one.
    #[schema(example = "Loose")]
    name_en: Option<String>,
    /// Notes in English, as Markdown, at most 64 KiB.
    notes_en: Option<String>,
    /// Tags.
    tags: Option<Vec<String>>,
    /// Options to add or change, by name; `null` takes one out. At most 64 KiB.
    #[schema(value_type = Option<HashMap<String, Value>>, example = json!({ "chestEase": 0.1 }))]
    options: Option<JsonObject>,
    /// Remarks among curators; nobody else sees them.
    info: Option<String>,
    /// An image (PNG, JPEG, WebP or GIF of at most 5 MiB) as a data URI.
    img: Option<String>,
}

/// The fields of a request that can be taken.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    texts: TextChanges,
    options: JsonObject,
}

impl Changes {
    /// Reads a request. Beside the changes gives the names of what was not taken (decision D80).
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

    /// Puts the changes over what an option pack says. Gives whether that fits.
    pub(crate) fn apply(&self, content: &mut OptionPackContent) -> bool {
        self.texts.apply(&mut content.texts);
        let mut options = content.options.clone();
        for (name, value) in &self.options {
            options.insert(name.clone(), value.clone());
        }
        options.retain(|_, value| !value.is_null());
        let value = Value::Object(options.clone());
        let fits = StoredJson::fits(&value) && value.to_string().len() <= MAX_OPTIONS_BYTES;
        if fits {
            content.options = options;
        }
        fits
    }
}
