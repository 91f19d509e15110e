//! Curated sets: measurements of bodies for everybody to try designs with.

use uuid::Uuid;

use crate::Timestamp;
use crate::entity::texts::Texts;
use crate::measurement::Measurements;

/// Height of a set for which none was given.
pub const DEFAULT_HEIGHT: i64 = 1;

/// What curators write into a curated set.
#[derive(Debug, Clone, PartialEq)]
pub struct CuratedSetContent<M = Measurements> {
    /// By which clients order sets: a height in centimetres, or a size.
    pub height: i64,
    /// Names, notes, tags.
    pub texts: Texts,
    /// The measurements.
    pub measies: M,
    /// Whether clients show it to users.
    pub published: bool,
}

/// A curated set.
#[derive(Debug, Clone, PartialEq)]
pub struct CuratedSet<M = Measurements> {
    /// Integer id.
    pub id: i64,
    /// UUID.
    pub uuid: Uuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// What it says.
    pub content: CuratedSetContent<M>,
}

/// The height that a text begins with; [`DEFAULT_HEIGHT`] when it begins with none.
pub fn leading_height(text: &str) -> i64 {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end]
        .parse()
        .ok()
        .filter(|height| HEIGHTS.contains(height))
        .unwrap_or(DEFAULT_HEIGHT)
}

/// Heights that can be stored.
pub const HEIGHTS: std::ops::RangeInclusive<i64> = 1..=100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_height_is_what_a_text_begins_with() {
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
