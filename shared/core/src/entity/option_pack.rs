//! Option packs: ready-made options of a design.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Timestamp;
use crate::entity::texts::Texts;

/// What curators write into an option pack.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionPackContent {
    /// Name of the design, in lower case; never changes.
    pub design: String,
    /// Names, notes, tags.
    pub texts: Texts,
    /// The options, by name.
    pub options: Map<String, Value>,
    /// Id of its image.
    pub img: Option<String>,
}

/// An option pack.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionPack {
    /// Integer id.
    pub id: i64,
    /// UUID.
    pub uuid: Uuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// What it says.
    pub content: OptionPackContent,
}
