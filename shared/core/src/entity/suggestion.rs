//! What users suggest to curators.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Timestamp;

/// What is suggested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuggestionKind {
    /// A measurement set, to become a curated one.
    Set,
    /// An option pack.
    Pack,
}

impl SuggestionKind {
    /// The name as stored, and as clients see it. (The original stored packs under one name and looked for them under
    /// another: defect D83.)
    pub const fn name(self) -> &'static str {
        match self {
            Self::Set => "sugset",
            Self::Pack => "opack",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Set, Self::Pack].into_iter().find(|kind| kind.name() == name)
    }
}

/// A suggestion, decrypted.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    /// UUID.
    pub uuid: Uuid,
    /// What is suggested.
    pub kind: SuggestionKind,
    /// Integer id of who suggests it.
    pub user_id: i64,
    /// UUID of who suggests it.
    pub user_uuid: Uuid,
    /// What it says: `name`, `notes`, `set` and `height` of a set; `notes`, `design` and `options` of a pack.
    pub data: Map<String, Value>,
    /// When it was made.
    pub created_at: Timestamp,
}
