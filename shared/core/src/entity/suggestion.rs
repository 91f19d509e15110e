//! [`Suggestion`]: a set or an option pack that a user has suggested to the curators.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Timestamp;

/// The kind of a suggestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuggestionKind {
    /// A measurement set that may become a curated set.
    Set,
    /// An option pack.
    Pack,
}

impl SuggestionKind {
    /// The name in the database and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Set => "sugset",
            Self::Pack => "opack",
        }
    }

    /// Finds the kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Set, Self::Pack].into_iter().find(|kind| kind.name() == name)
    }
}

/// A suggestion, decrypted.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    /// UUID.
    pub uuid: Uuid,
    /// The kind.
    pub kind: SuggestionKind,
    /// Integer id of the account that suggests it.
    pub user_id: i64,
    /// UUID of the account that suggests it.
    pub user_uuid: Uuid,
    /// The suggested fields: `name`, `notes`, `set` and `height` of a set; `notes`, `design` and `options` of a pack.
    pub data: Map<String, Value>,
    /// Time of creation.
    pub created_at: Timestamp,
}
