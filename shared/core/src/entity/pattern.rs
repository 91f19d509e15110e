//! [`Pattern`]: a design with the settings of a user. [`sanitise_settings`] removes invalid measurements from the settings.

use serde_json::Value;
use uuid::Uuid;

use crate::{StoredJson, Timestamp, measurement};

/// The field of the settings with the measurements.
const MEASUREMENTS: &str = "measurements";

/// The content of a pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternContent {
    /// Name of the design (free text). It cannot be changed.
    pub design: String,
    /// Name.
    pub name: String,
    /// Notes; clients render them as Markdown.
    pub notes: String,
    /// Data of the client: an object, an array or null.
    pub data: StoredJson,
    /// Settings of the design: an object, an array or null.
    pub settings: StoredJson,
    /// Whether the pattern is public.
    pub public: bool,
    /// Id of the image.
    pub img: Option<String>,
}

/// A pattern, decrypted.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    /// Integer id.
    pub id: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Integer id of the owner.
    pub user_id: i64,
    /// UUID of the owner.
    pub user_uuid: Uuid,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// The content.
    pub content: PatternContent,
}

/// The effect of [`sanitise_settings`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sanitised {
    /// Names of the removed measurements.
    pub removed: Vec<String>,
    /// Whether the settings were changed in any way.
    pub is_changed: bool,
}

/// Removes invalid measurements from the settings of a pattern. The other settings are free data of the client.
pub fn sanitise_settings(settings: &mut Value) -> Sanitised {
    let Some(settings) = settings.as_object_mut() else {
        return Sanitised::default();
    };
    let submitted = match settings.get_mut(MEASUREMENTS).map(Value::take) {
        Some(Value::Object(submitted)) => Some(submitted),
        _ => None,
    };
    let valid = measurement::sanitise(submitted.clone().unwrap_or_default());
    let is_changed = submitted.as_ref() != Some(&valid);
    let names = submitted.into_iter().flatten().map(|(name, _)| name);
    let removed = names.filter(|name| !valid.contains_key(name)).collect();
    settings.insert(MEASUREMENTS.to_owned(), Value::Object(valid));
    Sanitised { removed, is_changed }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn invalid_measurements_are_removed_in_place() {
        let mut settings =
            json!({ "sa": 10, "measurements": { "chest": 930.0, "tail": 3, "neck": "x" }, "units": "metric" });
        let sanitised = sanitise_settings(&mut settings);
        assert_eq!(sanitised.removed, ["tail", "neck"]);
        assert!(sanitised.is_changed);
        assert_eq!(
            settings.to_string(),
            r#"{"sa":10,"measurements":{"chest":930},"units":"metric"}"#
        );
        for odd in [
            json!({}),
            json!({ "measurements": [1] }),
            json!({ "measurements": null }),
        ] {
            let mut settings = odd;
            let sanitised = sanitise_settings(&mut settings);
            assert!(sanitised.removed.is_empty() && sanitised.is_changed);
            assert_eq!(settings, json!({ "measurements": {} }));
        }
        for other in [json!(null), json!([1])] {
            let mut settings = other.clone();
            assert_eq!(sanitise_settings(&mut settings), Sanitised::default());
            assert_eq!(settings, other);
        }
        for (submitted, is_changed) in [(json!({ "chest": 930 }), false), (json!({ "chest": 930.0 }), true)] {
            let mut settings = json!({ "measurements": submitted });
            assert_eq!(sanitise_settings(&mut settings).is_changed, is_changed, "{settings}");
        }
    }
}
