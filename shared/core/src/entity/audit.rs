//! What administrators do.

use serde_json::Value;
use uuid::Uuid;

use crate::Timestamp;

/// One act of an administrator.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// Integer id.
    pub id: i64,
    /// UUID.
    pub uuid: Uuid,
    /// When.
    pub created_at: Timestamp,
    /// Integer id of the account that acted.
    pub actor: i64,
    /// What was done: `users.update`, for example.
    pub action: String,
    /// What it was done to: `users/7`, for example.
    pub target: Option<String>,
    /// What was changed, as it was before.
    pub before: Value,
    /// What was changed, as it is now; of an act that changes nothing, what was asked for.
    pub after: Value,
}
