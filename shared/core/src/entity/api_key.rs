//! API keys.

use serde_json::Value;
use uuid::Uuid;

use crate::{Level, Networks, Scopes, StoredSecret, Timestamp};

/// How long a key may live when nothing else is set, in days (decisions: two years and a leap day more).
pub const DEFAULT_MAX_LIFE_DAYS: i64 = 732;

/// How long the old secret works after a rotation when nothing else is asked for, in seconds.
pub const DEFAULT_GRACE_S: i64 = 24 * 60 * 60;
/// The longest that may be asked for, in seconds.
pub const MAX_GRACE_S: i64 = 30 * DEFAULT_GRACE_S;

/// UUID of the demonstration key, whose secret is published with the sample events. It is refused unless test mode is
/// on.
pub const DEMO_KEY: Uuid = Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0002);

/// An API key, without its secret: that is shown once and never kept.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// UUID: the user name of Basic authentication.
    pub uuid: Uuid,
    /// Integer id of the owner.
    pub user_id: i64,
    /// UUID of the owner.
    pub user_uuid: Uuid,
    /// What its owner calls it: a text, or whatever JSON value the client sent.
    pub name: Value,
    /// Highest level that a call with it has.
    pub level: Level,
    /// What is stored of the secret.
    pub secret: StoredSecret,
    /// After a rotation: until then the secret before this one is taken too.
    pub grace_until: Option<Timestamp>,
    /// What it may do of what its level allows; `None` for all of it.
    pub scopes: Option<Scopes>,
    /// From where it may be used; `None` for everywhere.
    pub cidr: Option<Networks>,
    /// The instance it was made on (`BACKEND_INSTANCE`); a copy of the database elsewhere does not take it.
    pub instance: String,
    /// Calls made with it.
    pub calls: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// From this moment on it is refused.
    pub expires_at: Timestamp,
    /// Last call.
    pub last_seen: Option<Timestamp>,
}
