//! Validation and normalization of e-mail addresses, user names, names of records and languages.

use std::str::FromStr;

use email_address::{EmailAddress, Options};
use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use serde::{Deserialize, Serialize};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::EntityId;

/// The fewest characters of a user name.
pub const MIN_USERNAME_CHARS: usize = 2;
/// The most characters of a user name.
pub const MAX_USERNAME_CHARS: usize = 64;

/// The longest name of a record. Bytes.
pub const MAX_NAME_BYTES: usize = 1024;
/// The longest notes of a record. Bytes.
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
    /// All languages, English first.
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

    /// Parses a code, which is case-sensitive.
    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|language| language.code() == code)
            .ok_or(UnsupportedLanguage)
    }
}

/// An unsupported language code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of the supported languages")]
pub struct UnsupportedLanguage;

/// Returns the form in which names of records are compared: Unicode NFC, because keyboards compose accents in different ways.
pub fn normal_name(name: &str) -> String {
    ComposingNormalizer::new_nfc().normalize(name).into_owned()
}

/// Returns the form in which names are compared without letter case (canonical caseless matching of Unicode).
pub fn folded_name(name: &str) -> String {
    let decomposed = DecomposingNormalizer::new_nfd().normalize(name);
    normal_name(&CaseMapper::new().fold_string(&decomposed))
}

/// Appends a remark to a text, unless the result would be longer than `limit` bytes.
pub fn append(text: &mut String, remark: &str, limit: usize) {
    if text.len() + remark.len() <= limit {
        text.push_str(remark);
    }
}

/// Normalizes an e-mail address for storage, comparison and the index: trimmed, lower case.
pub fn clean_email(address: &str) -> String {
    address.trim().to_lowercase()
}

/// The longest e-mail address (RFC 5321, without the angle brackets). Bytes.
pub const MAX_EMAIL_BYTES: usize = 254;

/// Whether a normalized text has the syntax of an e-mail address. A confirmation proves that the address exists. A quoted local part
/// (`"a b"@example.com`) is rejected, because few mail programs support it.
pub fn is_email(cleaned: &str) -> bool {
    let options = Options::default().without_display_text().without_domain_literal();
    cleaned.len() <= MAX_EMAIL_BYTES
        && EmailAddress::parse_with_options(cleaned, options).is_ok()
        && !cleaned.chars().any(|c| c.is_control() || c.is_whitespace() || c == '"')
}

/// The longest name of a page. Bytes.
const MAX_SLUG_BYTES: usize = 100;

/// Whether a text is a valid name of a page in a path: lower-case letters, digits, and single hyphens between them.
pub fn is_slug(text: &str) -> bool {
    let words = |word: &str| !word.is_empty() && word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'));
    text.len() <= MAX_SLUG_BYTES && text.split('-').all(words)
}

/// Returns the domain of an address in lower case; an empty text if there is none.
pub fn email_domain(address: &str) -> String {
    address
        .rsplit_once('@')
        .map_or_else(String::new, |(_, domain)| domain.to_lowercase())
}

/// Domains whose mailboxes ignore dots in the local part.
const DOTLESS_DOMAINS: [&str; 2] = ["gmail.com", "googlemail.com"];

/// Returns the mailbox of a normalized address, for counting mails. It has no `+tag`, because most providers deliver `jane+tag@example.com` to
/// `jane@example.com`, and no dots if the provider ignores them. Text without `@` is returned unchanged.
pub fn mailbox(cleaned: &str) -> String {
    let Some((local, domain)) = cleaned.rsplit_once('@') else {
        return cleaned.to_owned();
    };
    let untagged = match local.split_once('+') {
        Some((name, _)) if !name.is_empty() => name,
        _ => local,
    };
    if DOTLESS_DOMAINS.contains(&domain) {
        format!("{}@{}", untagged.replace('.', ""), DOTLESS_DOMAINS[0])
    } else {
        format!("{untagged}@{domain}")
    }
}

/// Trims a user name; `None` if it is invalid.
///
/// A user name has 2 to 64 characters without `@` and invisible characters, and must not look like an id. Sign-in accepts addresses and
/// ids, too, so a name that looks like the address or id of another account could capture its sign-ins.
pub fn clean_username(name: &str) -> Option<String> {
    let name = name.trim();
    let chars = name.chars().count();
    let fits = (MIN_USERNAME_CHARS..=MAX_USERNAME_CHARS).contains(&chars)
        && !name.chars().any(|c| is_invisible(c) || c == '@')
        && !name.bytes().all(|b| b.is_ascii_digit())
        && EntityId::parse(name).is_none();
    fits.then(|| name.to_owned())
}

/// Whether a character is invisible or changes the direction of its neighbours: control, format and private-use characters, blanks other
/// than U+0020, and letters and marks without a shape. They are rejected, because two different names could look the same.
fn is_invisible(c: char) -> bool {
    // Letters, marks and symbols without a shape: Default_Ignorable_Code_Point of Unicode, and the blank Braille pattern.
    const SHAPELESS: [std::ops::RangeInclusive<char>; 10] = [
        '\u{34F}'..='\u{34F}',
        '\u{115F}'..='\u{1160}',
        '\u{17B4}'..='\u{17B5}',
        '\u{180B}'..='\u{180F}',
        '\u{2800}'..='\u{2800}',
        '\u{3164}'..='\u{3164}',
        '\u{FE00}'..='\u{FE0F}',
        '\u{FFA0}'..='\u{FFA0}',
        '\u{1D159}'..='\u{1D159}',
        '\u{E0000}'..='\u{E0FFF}',
    ];
    match c.general_category_group() {
        GeneralCategoryGroup::Other => true,
        GeneralCategoryGroup::Separator => c != ' ',
        _ => SHAPELESS.iter().any(|range| range.contains(&c)),
    }
}

/// Returns the form in which user names are compared: trimmed, lower case.
pub fn fold_username(name: &str) -> String {
    name.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_for_syntax() {
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
    fn names_are_compared_by_their_letters() {
        let (composed, decomposed) = ("J\u{f6}rg", "Jo\u{308}rg");
        assert_eq!(normal_name(decomposed), composed);
        for (one, other) in [
            (composed, "JO\u{308}RG"),
            ("Straße", "STRASSE"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("Jane", "jane"),
        ] {
            assert_eq!(folded_name(one), folded_name(other), "{one}");
        }
        assert_ne!(folded_name("Jörg"), folded_name("Jorg"));
        assert_ne!(normal_name("Jane"), normal_name("jane"));
    }

    #[test]
    fn tagged_addresses_reach_one_mailbox() {
        for (address, expected) in [
            ("jane@example.com", "jane@example.com"),
            ("jane+1@example.com", "jane@example.com"),
            ("jane+a+b@example.com", "jane@example.com"),
            ("+jane@example.com", "+jane@example.com"),
            ("j.a.n.e+x@googlemail.com", "jane@gmail.com"),
            ("j.ane@example.com", "j.ane@example.com"),
            ("a user name", "a user name"),
        ] {
            assert_eq!(mailbox(address), expected, "{address}");
        }
    }

    #[test]
    fn ambiguous_user_names_are_rejected() {
        assert_eq!(clean_username(" Ada "), Some("Ada".into()));
        for good in ["Жанна Д'Арк", "縫い物", "Zoë🧵", "नमस्ते"] {
            assert_eq!(clean_username(good), Some(good.into()));
        }
        let long = "x".repeat(MAX_USERNAME_CHARS + 1);
        for bad in [
            "",
            "  ",
            " a ",
            "42",
            "ada@example.com",
            "a\u{0}b",
            "a\nb",
            "a\u{200B}b",
            "a\u{202E}b",
            "\u{2066}ab",
            "a\u{AD}b",
            "ab\u{FEFF}",
            "a\u{3164}b",
            "ab\u{FE0F}",
            "a\u{A0}b",
            "a\u{2028}b",
            "a\u{E000}b",
            "a\u{E0041}b",
            "6f9619ff-8b86-4011-b42d-00c04fc964ff",
            &long,
        ] {
            assert_eq!(clean_username(bad), None, "{bad:?}");
        }
        assert_eq!(fold_username(" ÀDA "), "àda");
    }
}
