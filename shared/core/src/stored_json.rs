//! [`StoredJson`]: free-form JSON that clients keep in records, with limits of its size.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// Maximum size of a free-form value as JSON text, in bytes.
pub const MAX_STORED_JSON_BYTES: usize = 256 * 1024;
/// The maximum number of values (numbers, texts, lists, ...) in a free-form value. A parsed value
/// occupies up to a hundred times the memory of its text.
pub const MAX_STORED_JSON_VALUES: usize = 20_000;
/// Maximum nesting depth of lists and objects in a free-form value. Each level indents a document of YAML further.
pub const MAX_STORED_JSON_DEPTH: usize = 32;

/// A JSON value as text, so that reading a record costs no more memory than its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredJson(Box<RawValue>);

impl StoredJson {
    /// The length of the text, in bytes.
    #[expect(clippy::len_without_is_empty, reason = "no JSON text is empty")]
    pub fn len(&self) -> usize {
        self.0.get().len()
    }

    /// Serializes a value, unless it is too large to be stored: [`MAX_STORED_JSON_BYTES`], [`MAX_STORED_JSON_VALUES`] and
    /// [`MAX_STORED_JSON_DEPTH`] limit it.
    pub fn within_limits(value: &Value) -> Option<Self> {
        let mut values = 0;
        if !has_bounded_shape(value, MAX_STORED_JSON_DEPTH, &mut values) {
            return None;
        }
        Some(Self::from(value)).filter(|stored| stored.len() <= MAX_STORED_JSON_BYTES)
    }
}

impl From<&Value> for StoredJson {
    fn from(value: &Value) -> Self {
        Self(RawValue::from_string(value.to_string()).expect("the text of a value is JSON"))
    }
}

impl PartialEq for StoredJson {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// Whether a value has at most `depth` levels, and at most [`MAX_STORED_JSON_VALUES`] values with those that were counted before it.
fn has_bounded_shape(value: &Value, depth: usize, values: &mut usize) -> bool {
    *values += 1;
    if *values > MAX_STORED_JSON_VALUES {
        return false;
    }
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| has_bounded_shape(item, depth - 1, values)),
        Value::Object(fields) => depth > 0 && fields.values().all(|field| has_bounded_shape(field, depth - 1, values)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(depth: usize) -> Value {
        (0..depth).fold(json!(1), |value, _| json!([value]))
    }

    #[test]
    fn bytes_values_and_depth_are_limited() {
        let values = |count: usize| Value::Array(vec![json!(1); count - 1]);
        let bytes = |count: usize| json!("x".repeat(count - 2));
        for (largest, too_large) in [
            (nested(MAX_STORED_JSON_DEPTH), nested(MAX_STORED_JSON_DEPTH + 1)),
            (values(MAX_STORED_JSON_VALUES), values(MAX_STORED_JSON_VALUES + 1)),
            (bytes(MAX_STORED_JSON_BYTES), bytes(MAX_STORED_JSON_BYTES + 1)),
        ] {
            assert_eq!(StoredJson::within_limits(&largest), Some(StoredJson::from(&largest)));
            assert_eq!(StoredJson::within_limits(&too_large), None);
        }
    }

    #[test]
    fn text_and_value_are_the_same() {
        let value = json!({ "z": [1, 2.50, "ü\n"], "a": { "b": null } });
        let stored = StoredJson::from(&value);
        assert_eq!(serde_json::to_string(&stored).unwrap(), value.to_string());
        assert_eq!(json!({ "stored": stored }), json!({ "stored": value }));
        assert_eq!(serde_json::to_value(&stored).unwrap(), value);
        let read: StoredJson = serde_json::from_str(&value.to_string()).unwrap();
        assert_eq!(read, stored);
    }
}
