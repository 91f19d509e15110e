//! [`Texts`]: the translated texts of curated sets and option packs.

use serde::{Deserialize, Serialize};

use crate::validate::Language;

/// A text in all languages. A missing translation is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields have the language codes as names")]
pub struct Translated {
    pub de: String,
    pub en: String,
    pub es: String,
    pub fr: String,
    pub nl: String,
    pub uk: String,
}

impl Translated {
    /// Creates the same text in every language.
    pub fn same(text: &str) -> Self {
        let mut texts = Self::default();
        for language in Language::ALL {
            text.clone_into(texts.get_mut(language));
        }
        texts
    }

    /// The text in that language.
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::De => &self.de,
            Language::En => &self.en,
            Language::Es => &self.es,
            Language::Fr => &self.fr,
            Language::Nl => &self.nl,
            Language::Uk => &self.uk,
        }
    }

    /// The text in that language, mutable.
    pub fn get_mut(&mut self, language: Language) -> &mut String {
        match language {
            Language::De => &mut self.de,
            Language::En => &mut self.en,
            Language::Es => &mut self.es,
            Language::Fr => &mut self.fr,
            Language::Nl => &mut self.nl,
            Language::Uk => &mut self.uk,
        }
    }
}

/// Returns the language of a field name that consists of `stem` and a capitalized language code: `nameDe` is `name` in German.
pub fn language_of(field: &str, stem: &str) -> Option<Language> {
    let code = field.strip_prefix(stem)?;
    let language: Language = code.to_ascii_lowercase().parse().ok()?;
    (code.starts_with(|c: char| c.is_ascii_uppercase()) && code[1..] == language.code()[1..]).then_some(language)
}

/// The texts of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// Names.
    pub names: Translated,
    /// Notes; clients render them as Markdown.
    pub notes: Translated,
    /// Tags.
    pub tags: Vec<String>,
    /// Remarks of curators, which are never shown.
    pub info: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_is_parsed_from_the_field_name() {
        assert_eq!(language_of("nameDe", "name"), Some(Language::De));
        assert_eq!(language_of("notesUk", "notes"), Some(Language::Uk));
        for other in ["name", "namede", "nameDE", "namedE", "nameXx", "notesDe", "nameД"] {
            assert_eq!(language_of(other, "name"), None, "{other}");
        }
        assert_eq!(Translated::same("x").get(Language::Fr), "x");
    }
}
