//! [`CuratedSet`]: a measurement set that curators publish for trying designs.

use uuid::Uuid;

use crate::Timestamp;
use crate::entity::texts::Texts;
use crate::measurement::Measurements;

/// The height of a set whose height is unknown.
pub const DEFAULT_HEIGHT: i64 = 1;

/// The content of a curated set.
#[derive(Debug, Clone, PartialEq)]
pub struct CuratedSetContent<M = Measurements> {
    /// Sort key for clients: a height in centimetres, or a size.
    pub height: i64,
    /// Names, notes, tags.
    pub texts: Texts,
    /// The measurements.
    pub measies: M,
    /// Whether clients show the set to users.
    pub published: bool,
}

/// A curated set.
#[derive(Debug, Clone, PartialEq)]
pub struct CuratedSet<M = Measurements> {
    /// Integer id.
    pub id: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// The content.
    pub content: CuratedSetContent<M>,
}

/// Parses the number at the beginning of a text; [`DEFAULT_HEIGHT`] if there is no valid one.
pub fn leading_height(text: &str) -> i64 {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end]
        .parse()
        .ok()
        .filter(|height| HEIGHTS.contains(height))
        .unwrap_or(DEFAULT_HEIGHT)
}

/// The valid heights.
pub const HEIGHTS: std::ops::RangeInclusive<i64> = 1..=100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_number_of_a_text_is_the_height() {
        for (text, height) in [
            ("166cm", 166),
            (" 170.5 ", 170),
            ("tall", 1),
            ("", 1),
            ("0", 1),
            ("-3", 1),
            ("99999999999999999999", 1),
            ("12é", 12),
        ] {
            assert_eq!(leading_height(text), height, "{text}");
        }
    }
}
