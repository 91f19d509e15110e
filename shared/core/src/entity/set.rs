//! [`MeasurementSet`]: the measurements of one person, with a name, notes and an image.

use uuid::Uuid;

use crate::Timestamp;
use crate::measurement::Measurements;

/// The image of a set without an image.
pub const DEFAULT_IMAGE: &str = "default-avatar";

/// The default notes.
pub const NO_NOTES: &str = "--";

/// The content of a set. `M` is the representation of its measurements.
#[derive(Debug, Clone, PartialEq)]
pub struct SetContent<M = Measurements> {
    /// Name.
    pub name: String,
    /// Notes; clients render them as Markdown.
    pub notes: String,
    /// Whether clients display inches. Stored values are always in millimetres.
    pub imperial: bool,
    /// Whether the set is public.
    pub public: bool,
    /// The measurements.
    pub measies: M,
    /// Id of the image.
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
    /// Time of creation.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// The content.
    pub content: SetContent<M>,
}
