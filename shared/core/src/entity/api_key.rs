//! [`ApiKey`]: a stored API key without its secret, and the limits of its lifetime.

use serde_json::Value;
use uuid::Uuid;

use crate::{Level, Networks, Scopes, StoredSecret, Timestamp};

/// Default maximum lifetime of a key: two years, including a leap day, in days.
pub const DEFAULT_MAX_LIFE_DAYS: i64 = 732;

/// The default time for which the old secret is accepted after a rotation, in seconds.
pub const DEFAULT_GRACE_S: i64 = 24 * 60 * 60;
/// Maximum time for which the old secret can be accepted, in seconds.
pub const MAX_GRACE_S: i64 = 30 * DEFAULT_GRACE_S;

/// UUID of the demonstration key. Its secret is published with the sample events, so it is accepted only in test mode.
pub const DEMO_KEY: Uuid = Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0002);

/// An API key. The secret itself is shown once and never stored.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// UUID, which is the user name in Basic authentication.
    pub uuid: Uuid,
    /// Integer id of the owner.
    pub user_id: i64,
    /// UUID of the owner.
    pub user_uuid: Uuid,
    /// Name: a text, or another JSON value that the client sent.
    pub name: Value,
    /// Highest level of a call with the key.
    pub level: Level,
    /// The stored form of the secret.
    pub secret: StoredSecret,
    /// After a rotation, the time until which the previous secret is accepted, too.
    pub grace_until: Option<Timestamp>,
    /// The scopes to which the key is restricted; `None` for all that its level allows.
    pub scopes: Option<Scopes>,
    /// The networks from which the key may be used; `None` for all.
    pub cidr: Option<Networks>,
    /// The instance on which the key was created (`BACKEND_INSTANCE`). An instance with another name rejects the key, even with a copy of the
    /// database.
    pub instance: String,
    /// Number of calls.
    pub calls: i64,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of expiry.
    pub expires_at: Timestamp,
    /// Time of the last call.
    pub last_seen: Option<Timestamp>,
}
