//! [`OptionPack`]: predefined options of a design.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Timestamp;
use crate::entity::texts::Texts;

/// The content of an option pack.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionPackContent {
    /// Name of the design, in lower case. It cannot be changed.
    pub design: String,
    /// Names, notes, tags.
    pub texts: Texts,
    /// The options, by name.
    pub options: Map<String, Value>,
    /// Id of the image.
    pub img: Option<String>,
}

/// An option pack.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionPack {
    /// Integer id.
    pub id: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// The content.
    pub content: OptionPackContent,
}
