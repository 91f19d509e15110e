//! What counts as an e-mail address, a user name, a language.

use std::str::FromStr;

use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};

use crate::EntityId;

/// Fewest characters of a user name.
pub const MIN_USERNAME_CHARS: usize = 2;
/// Most characters of a user name.
pub const MAX_USERNAME_CHARS: usize = 64;

/// The longest name of a record, in bytes.
pub const MAX_NAME_BYTES: usize = 1024;
/// The longest notes of a record, in bytes.
pub const MAX_NOTES_BYTES: usize = 64 * 1024;

/// The languages of the site and its mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    En,
    /// German.
    De,
    /// Spanish.
    Es,
    /// French.
    Fr,
    /// Dutch.
    Nl,
    /// Ukrainian.
    Uk,
}

impl Language {
    /// All of them, English first.
    pub const ALL: [Self; 6] = [Self::En, Self::De, Self::Es, Self::Fr, Self::Nl, Self::Uk];

    /// The two-letter code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Es => "es",
            Self::Fr => "fr",
            Self::Nl => "nl",
            Self::Uk => "uk",
        }
    }
}

impl FromStr for Language {
    type Err = UnsupportedLanguage;

    /// Reads a code, exactly as written.
    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|language| language.code() == code)
            .ok_or(UnsupportedLanguage)
    }
}

/// A text that is none of the languages' codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of the supported languages")]
pub struct UnsupportedLanguage;

/// Adds a remark to a text, unless that would make it longer than `limit` bytes.
pub fn append(text: &mut String, remark: &str, limit: usize) {
    if text.len() + remark.len() <= limit {
        text.push_str(remark);
    }
}

/// An e-mail address as it is stored, compared and indexed: trimmed, lower case.
pub fn clean_email(address: &str) -> String {
    address.trim().to_lowercase()
}

/// Whether a cleaned address has the syntax of one. That it exists is what a confirmation is for. A quoted local part
/// (`"a b"@example.com`) is none here: hardly a mail program takes one, and nobody has one.
pub fn is_email(cleaned: &str) -> bool {
    let options = Options::default().without_display_text().without_domain_literal();
    EmailAddress::parse_with_options(cleaned, options).is_ok()
        && !cleaned.chars().any(|c| c.is_control() || c.is_whitespace() || c == '"')
}

/// The domain of an address, in lower case; empty when there is none.
pub fn email_domain(address: &str) -> String {
    address
        .rsplit_once('@')
        .map_or_else(String::new, |(_, domain)| domain.to_lowercase())
}

/// A user name as it is stored, trimmed; `None` when it cannot be one.
///
/// It has 2 to 64 characters, none of them a control character or `@`, and cannot be taken for an id: otherwise
/// somebody could sit on another's address or number and catch their sign-ins (defects D48, D49).
pub fn clean_username(name: &str) -> Option<String> {
    let name = name.trim();
    let chars = name.chars().count();
    let fits = (MIN_USERNAME_CHARS..=MAX_USERNAME_CHARS).contains(&chars)
        && !name.chars().any(|c| c.is_control() || c == '@')
        && !name.bytes().all(|b| b.is_ascii_digit())
        && EntityId::parse(name).is_none();
    fits.then(|| name.to_owned())
}

/// The form in which user names are compared: trimmed, lower case.
pub fn fold_username(name: &str) -> String {
    name.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_by_syntax() {
        for good in [
            "jane.doe@example.com",
            "test@freesewing.dev",
            "a+b@c.de",
            "jörg@münchen.example",
            "x@localhost",
        ] {
            assert!(is_email(good), "{good}");
        }
        let long = format!("{}@example.com", "x".repeat(65));
        for bad in [
            "",
            "jane",
            "@example.com",
            "jane@",
            "a b@example.com",
            "a@b@c.de",
            "Jane <jane@example.com>",
            "\"p,1\"@example.com",
            "\"a@b\"@example.com",
            "\"a\r\nBcc: x\"@b.de",
            &long,
        ] {
            assert!(!is_email(bad), "{bad}");
        }
        assert_eq!(clean_email("  Jane.Doe@Example.COM "), "jane.doe@example.com");
        assert_eq!(email_domain("x@FreeSewing.DEV"), "freesewing.dev");
    }

    #[test]
    fn user_names_cannot_be_taken_for_something_else() {
        assert_eq!(clean_username(" Ada "), Some("Ada".into()));
        assert_eq!(clean_username("Жанна Д'Арк"), Some("Жанна Д'Арк".into()));
        let long = "x".repeat(MAX_USERNAME_CHARS + 1);
        for bad in [
            "",
            "  ",
            " a ",
            "42",
            "ada@example.com",
            "a\u{0}b",
            "a\nb",
            "6f9619ff-8b86-4011-b42d-00c04fc964ff",
            &long,
        ] {
            assert_eq!(clean_username(bad), None, "{bad:?}");
        }
        assert_eq!(fold_username(" ÀDA "), "àda");
    }
}
