//! [`Changes`]: parses and checks the fields of a curated set in a request, and applies them to the stored content.

use bespoke_core::entity::curated_set::{CuratedSetContent, HEIGHTS};
use bespoke_core::measurement;
use bespoke_web::content::measurements::MeasurementChanges;
use bespoke_web::{JsonObject, Result, TextChanges, truthy};
use serde_json::Value;
use utoipa::ToSchema;

/// A curated set, or changes of one. Missing fields do not change. The names and notes in the other languages are further fields:
/// `nameDe`, `notesFr` and so on.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct CuratedSetRequest {
    /// Name in English, at most 1024 bytes. Required for a new set.
    #[schema(example = "Woman, size 34")]
    name_en: Option<String>,
    /// Notes in English, in Markdown, at most 64 KiB.
    notes_en: Option<String>,
    /// Height in centimetres. Lists are ordered by it.
    height: Option<u32>,
    /// Tags.
    tags: Option<Vec<String>>,
    /// Measurements to add or change. `null` removes a measurement.
    #[schema(value_type = Option<HashMap<String, Option<f64>>>, example = json!({ "chest": 930, "neck": 360 }))]
    measies: Option<JsonObject>,
    /// The unit of lengths in `measies`: `mm` (the default), `cm` or `in`. `metric` and `imperial` mean millimetres.
    #[schema(pattern = "^(mm|cm|in|metric|imperial)$")]
    units: Option<String>,
    /// Whether clients show the set to users. New sets are not published.
    published: Option<bool>,
    /// Remarks for curators. Other users cannot read them.
    info: Option<String>,
    /// An image (PNG, JPEG, WebP or GIF of at most 5 MiB) as a data URI.
    img: Option<String>,
}

/// The valid fields of a request.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    texts: TextChanges,
    height: Option<i64>,
    published: Option<bool>,
    measies: JsonObject,
}

impl Changes {
    /// Parses a request. Also returns the names of the ignored fields.
    ///
    /// # Errors
    /// 400 `unitsInvalid`
    pub(crate) fn read(mut body: JsonObject) -> Result<(Self, Vec<String>)> {
        let mut ignored = Vec::new();
        let measies = MeasurementChanges::take(&mut body, &mut ignored)?.measies;
        let mut changes = Self {
            measies,
            ..Self::default()
        };
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
                ("test", _) => true,
                (field, value) => changes.texts.take(field, value),
            };
            if !taken {
                ignored.push(field);
            }
        }
        Ok((changes, ignored))
    }

    /// Applies the changes to the content of a curated set.
    pub(crate) fn apply(&self, content: &mut CuratedSetContent) {
        self.texts.apply(&mut content.texts);
        content.height = self.height.unwrap_or(content.height);
        content.published = self.published.unwrap_or(content.published);
        content.measies = measurement::merge(std::mem::take(&mut content.measies), self.measies.clone());
    }
}

/// Parses a height: a number or a numeric string. Fractions are dropped.
pub(crate) fn height_of(value: &Value) -> Option<i64> {
    let height = match value {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_f64(),
    };
    // The cast saturates, and the largest and the smallest integer are not valid heights.
    height
        .map(|height| height as i64)
        .filter(|height| HEIGHTS.contains(height))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn height_may_be_a_numeric_string() {
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
