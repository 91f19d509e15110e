//! [`ImageId`]: the id of an image, which names the record that the image belongs to.

use std::fmt;

use uuid::Uuid;

/// The number of hexadecimal digits of the name of an account's image.
const IHASH_DIGITS: usize = 64;
/// Maximum length of the name of an image of a page, in bytes.
const MAX_PAGE_BYTES: usize = 128;

/// The id of an image. It names the record to which the image belongs, and with it the accounts that may see the image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ImageId {
    /// `uid-<ihash>`: an account.
    Account(String),
    /// `set-<id>`: a measurement set.
    Set(i64),
    /// `pattern-<id>`: a pattern.
    Pattern(i64),
    /// `cset-<id>`: a curated set.
    CuratedSet(i64),
    /// `opack-<id>`: an option pack.
    OptionPack(i64),
    /// `sugset-<uuid>`: a suggested set.
    Suggestion(Uuid),
    /// `blog-...`, `showcase-...`, `support-...`: a page of the website.
    Page(String),
}

impl ImageId {
    /// Parses an id; `None` for any other text, including the names of default images.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once('-')?;
        let number = || {
            let canonical = !rest.starts_with('0') && rest.bytes().all(|byte| byte.is_ascii_digit());
            canonical.then(|| rest.parse().ok()).flatten()
        };
        match kind {
            "uid" => is_ihash(rest).then(|| Self::Account(rest.to_owned())),
            "set" => number().map(Self::Set),
            "pattern" => number().map(Self::Pattern),
            "cset" => number().map(Self::CuratedSet),
            "opack" => number().map(Self::OptionPack),
            "sugset" => Uuid::try_parse(rest).ok().map(Self::Suggestion),
            "blog" | "showcase" | "support" => is_page(text).then(|| Self::Page(text.to_owned())),
            _ => None,
        }
    }
}

fn is_ihash(text: &str) -> bool {
    text.len() == IHASH_DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_page(text: &str) -> bool {
    text.len() <= MAX_PAGE_BYTES
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(ihash) => write!(f, "uid-{ihash}"),
            Self::Set(id) => write!(f, "set-{id}"),
            Self::Pattern(id) => write!(f, "pattern-{id}"),
            Self::CuratedSet(id) => write!(f, "cset-{id}"),
            Self::OptionPack(id) => write!(f, "opack-{id}"),
            Self::Suggestion(uuid) => write!(f, "sugset-{uuid}"),
            Self::Page(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_ids_round_trip_and_others_are_rejected() {
        let ihash = "0a".repeat(IHASH_DIGITS / 2);
        for id in [
            "set-12",
            "pattern-1",
            "cset-20",
            "opack-3",
            "sugset-6f9619ff-8b86-4011-b42d-00c04fc964ff",
            "blog-a-day-out-2",
            &format!("uid-{ihash}"),
        ] {
            assert_eq!(ImageId::parse(id).expect(id).to_string(), id);
        }
        let long = format!("blog-{}", "a".repeat(MAX_PAGE_BYTES));
        for text in [
            "",
            "set-",
            "set-012",
            "set-+1",
            "set-1.5",
            "set-99999999999999999999",
            "uid-0a",
            "uid-../../head",
            "blog-../x",
            "blog-A",
            "default-avatar",
            "sugset-x",
            "user-1",
            &long,
        ] {
            assert_eq!(ImageId::parse(text), None, "{text}");
        }
    }
}
