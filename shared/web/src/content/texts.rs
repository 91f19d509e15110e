//! [`TextChanges`]: parses the translated texts of curators in requests: names, notes, tags and remarks.

use bespoke_core::entity::texts::{Texts, language_of};
use bespoke_core::validate::{Language, MAX_NAME_BYTES, MAX_NOTES_BYTES};
use serde_json::Value;

/// The maximum number of tags.
const MAX_TAGS: usize = 100;
/// Maximum length of a tag, in bytes.
const MAX_TAG_BYTES: usize = 128;

/// The fields `nameDe` to `nameUk`, `notesDe` to `notesUk`, `tags` and `info` of a request.
#[derive(Debug, Clone, Default)]
pub struct TextChanges {
    names: Vec<(Language, String)>,
    notes: Vec<(Language, String)>,
    tags: Option<Vec<String>>,
    info: Option<String>,
}

impl TextChanges {
    /// Takes over the value of a field. Returns `false` for another field, and for an invalid value.
    pub fn take(&mut self, field: &str, value: &Value) -> bool {
        match (field, value) {
            ("info", Value::String(info)) if info.len() <= MAX_NOTES_BYTES => self.info = Some(info.clone()),
            ("tags", Value::Array(tags)) if tags.len() <= MAX_TAGS => match texts(tags) {
                Some(tags) => self.tags = Some(tags),
                None => return false,
            },
            (field, Value::String(text)) if !text.is_empty() => {
                if let Some(language) = language_of(field, "name").filter(|_| text.len() <= MAX_NAME_BYTES) {
                    self.names.push((language, text.clone()));
                } else if let Some(language) = language_of(field, "notes").filter(|_| text.len() <= MAX_NOTES_BYTES) {
                    self.notes.push((language, text.clone()));
                } else {
                    return false;
                }
            }
            _ => return false,
        }
        true
    }

    /// Applies the changes to the texts.
    pub fn apply(&self, texts: &mut Texts) {
        for (language, name) in &self.names {
            texts.names.get_mut(*language).clone_from(name);
        }
        for (language, notes) in &self.notes {
            texts.notes.get_mut(*language).clone_from(notes);
        }
        if let Some(tags) = &self.tags {
            texts.tags.clone_from(tags);
        }
        if let Some(info) = &self.info {
            texts.info.clone_from(info);
        }
    }
}

fn texts(tags: &[Value]) -> Option<Vec<String>> {
    let text = |tag: &Value| tag.as_str().filter(|tag| tag.len() <= MAX_TAG_BYTES).map(str::to_owned);
    tags.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn translated_texts_are_accepted_and_invalid_values_rejected() {
        let mut changes = TextChanges::default();
        for (field, value) in [
            ("nameDe", json!("Name")),
            ("notesUk", json!("Нотатки")),
            ("tags", json!(["a", "b"])),
            ("info", json!("")),
        ] {
            assert!(changes.take(field, &value), "{field}");
        }
        for (field, value) in [
            ("nameEn", json!("")),
            ("nameEn", json!(7)),
            ("nameEn", json!("x".repeat(MAX_NAME_BYTES + 1))),
            ("nameXx", json!("x")),
            ("tags", json!("a")),
            ("tags", json!([1])),
            ("tags", json!(vec!["a"; MAX_TAGS + 1])),
            ("info", json!(null)),
        ] {
            assert!(!changes.take(field, &value), "{field}: {value}");
        }
        let mut texts = Texts {
            info: "old".into(),
            ..Texts::default()
        };
        changes.apply(&mut texts);
        assert_eq!((texts.names.de.as_str(), texts.notes.uk.as_str()), ("Name", "Нотатки"));
        assert_eq!(
            (texts.tags, texts.info.as_str()),
            (vec!["a".to_owned(), "b".to_owned()], "")
        );
    }
}
