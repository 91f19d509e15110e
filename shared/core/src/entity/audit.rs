//! [`AuditRow`]: an entry of the audit log of administrators.

use serde_json::Value;
use uuid::Uuid;

use crate::Timestamp;

/// An action of an administrator or impersonator.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// Integer id.
    pub id: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Time of the action.
    pub created_at: Timestamp,
    /// Integer id of the acting account.
    pub actor: i64,
    /// Name of the action, for example `users.update`.
    pub action: String,
    /// The affected record, for example `users/7`.
    pub target: Option<String>,
    /// The changed fields before the action.
    pub before: Value,
    /// The changed fields after the action, or the parameters of an action without changes.
    pub after: Value,
}
