//! Measurement sets.

use uuid::Uuid;

use crate::Timestamp;
use crate::measurement::Measurements;

/// The image of a set that has none of its own.
pub const DEFAULT_IMAGE: &str = "default-avatar";

/// What notes say when none were sent.
pub const NO_NOTES: &str = "--";

/// What somebody writes into a set; `M` is how its measurements are held.
#[derive(Debug, Clone, PartialEq)]
pub struct SetContent<M = Measurements> {
    /// Name.
    pub name: String,
    /// Notes; clients render them as Markdown.
    pub notes: String,
    /// Whether the client shows inches. Stored values are millimetres either way.
    pub imperial: bool,
    /// Whether anybody may read it.
    pub public: bool,
    /// The measurements.
    pub measies: M,
    /// Id of its image.
    pub img: Option<String>,
}

/// A measurement set, decrypted.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasurementSet<M = Measurements> {
    /// Integer id.
    pub id: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Integer id of the owner.
    pub user_id: i64,
    /// UUID of the owner.
    pub user_uuid: Uuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// What it says.
    pub content: SetContent<M>,
}
