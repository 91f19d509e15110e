//! What a request says about a curated set.

use bespoke_core::entity::curated_set::{CuratedSetContent, HEIGHTS};
use bespoke_core::measurement::{self, is_valid};
use bespoke_web::{JsonObject, TextChanges, truthy};
use serde_json::Value;
use utoipa::ToSchema;

/// A curated set, or changes of one: what is left out stays. Beside these there are the names and notes in the other
/// languages: `nameDe`, `notesFr` and so on.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct CuratedSetRequest {
    /// Name in English, at most 1024 bytes. A new set needs one.
    #[schema(example = "Woman, size 34")]
    name_en: Option<String>,
    /// Notes in English, as Markdown, at most 64 KiB.
    notes_en: Option<String>,
    /// By which sets are ordered, in centimetres.
    height: Option<u32>,
    /// Tags.
    tags: Option<Vec<String>>,
    /// Measurements to add or change; `null` takes one out.
    #[schema(value_type = Option<HashMap<String, Option<f64>>>, example = json!({ "chest": 930, "neck": 360 }))]
    measies: Option<JsonObject>,
    /// Whether clients show it to users; a new set is not published.
    published: Option<bool>,
    /// Remarks among curators; nobody else sees them.
    info: Option<String>,
    /// An image (PNG, JPEG, WebP or GIF of at most 5 MiB) as a data URI.
    img: Option<String>,
}

/// The fields of a request that can be taken.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    texts: TextChanges,
    height: Option<i64>,
    published: Option<bool>,
    measies: JsonObject,
}

impl Changes {
    /// Reads a request. Beside the changes gives the names of what was not taken (decision D80).
    pub(crate) fn read(body: JsonObject) -> (Self, Vec<String>) {
        let (mut changes, mut ignored) = (Self::default(), Vec::new());
        for (field, value) in body {
            let taken = match (field.as_str(), &value) {
                ("published", Value::Bool(published)) => {
                    changes.published = Some(*published);
                    true
                }
                ("height", height) if truthy(height) => {
                    changes.height = height_of(height);
                    changes.height.is_some()
                }
                ("measies", Value::Object(measies)) => {
                    changes.measies.clone_from(measies);
                    true
                }
                ("measies", Value::Null) | ("test", _) => true,
                (field, value) => changes.texts.take(field, value),
            };
            if !taken {
                ignored.push(field);
            }
        }
        let dropped = changes
            .measies
            .iter()
            .filter(|(name, value)| !value.is_null() && !is_valid(name, value));
        ignored.extend(dropped.map(|(name, _)| format!("measies.{name}")));
        (changes, ignored)
    }

    /// Puts the changes over what a curated set says.
    pub(crate) fn apply(&self, content: &mut CuratedSetContent) {
        self.texts.apply(&mut content.texts);
        content.height = self.height.unwrap_or(content.height);
        content.published = self.published.unwrap_or(content.published);
        content.measies = measurement::merge(std::mem::take(&mut content.measies), self.measies.clone());
    }
}

/// A height as a request gives it: a number, or the text of one. Its fraction is dropped.
pub(crate) fn height_of(value: &Value) -> Option<i64> {
    let height = match value {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_f64(),
    };
    // What is out of range becomes an end of it, and no height.
    height
        .map(|height| height as i64)
        .filter(|height| HEIGHTS.contains(height))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn heights_are_numbers_or_texts_of_one() {
        for (value, height) in [
            (json!(166), Some(166)),
            (json!("166.5"), Some(166)),
            (json!("166cm"), None),
            (json!(1e300), None),
            (json!("NaN"), None),
            (json!(-3), None),
            (json!([1]), None),
            (json!(true), None),
        ] {
            assert_eq!(height_of(&value), height, "{value}");
        }
    }
}
