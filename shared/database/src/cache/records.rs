//! The cached records that no table of `bespoke-core` defines, and the comparison of cached records.

use std::ops::Deref;
use std::sync::OnceLock;

use bespoke_core::entity::set::MeasurementSet;
use bespoke_core::entity::user::AccountStatus;
use bespoke_core::measurement::{Design, StoredMeasurements};
use bespoke_core::{Level, Networks, Scopes, StoredSecret, Timestamp};
use bytes::Bytes;

use super::versioned::Cacheable;

/// The data that authenticates a request by key: the key without its name, and the account status of its owner.
#[derive(Debug)]
pub struct Credential {
    /// The stored digest of the secret.
    pub secret: StoredSecret,
    /// The secret before the last rotation, and the end of its grace period.
    pub old_secret: Option<(StoredSecret, Timestamp)>,
    /// Scopes that restrict the key further than its level.
    pub scopes: Option<Scopes>,
    /// Networks from which the key may be used.
    pub cidr: Option<Networks>,
    /// Requests per day that the owner may make with the key. `None` if the default applies.
    pub quota: Option<u32>,
    /// Highest level of the key.
    pub level: Level,
    /// The instance that the key was made on.
    pub instance: String,
    /// The key is refused from this moment on.
    pub expires_at: Timestamp,
    /// The owner.
    pub owner: AccountStatus,
}

/// A set whose measurements are passed on without being decoded.
pub type CachedSet = CachedRecord<MeasurementSet<StoredMeasurements>>;

/// A stored record, with room for the response that shows it. Both are valid as long as the record does not change.
#[derive(Debug)]
pub struct CachedRecord<T> {
    record: T,
    response: OnceLock<CachedResponse>,
}

/// A response that depends only on its record.
#[derive(Debug, Clone)]
pub struct CachedResponse {
    /// The body.
    pub text: Bytes,
    /// Its ETag.
    pub tag: Bytes,
}

impl<T> From<T> for CachedRecord<T> {
    fn from(record: T) -> Self {
        Self {
            record,
            response: OnceLock::new(),
        }
    }
}

impl<T> Deref for CachedRecord<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.record
    }
}

impl<T> CachedRecord<T> {
    /// Returns the response that shows the record. It is made at the first call.
    pub fn response(&self, make: impl FnOnce() -> CachedResponse) -> CachedResponse {
        self.response.get_or_init(make).clone()
    }
}

impl Cacheable for Credential {
    fn is_still(&self, now: &Self) -> bool {
        format!("{self:?}") == format!("{now:?}")
    }
}

impl Cacheable for AccountStatus {
    fn is_still(&self, now: &Self) -> bool {
        self == now
    }
}

impl Cacheable for Design {
    fn is_still(&self, now: &Self) -> bool {
        self == now
    }
}

impl Cacheable for i64 {
    fn is_still(&self, now: &Self) -> bool {
        self == now
    }
}

impl Cacheable for CachedSet {
    /// The response is about as long as the record.
    fn bytes(&self) -> usize {
        2 * (self.content.name.len() + self.content.notes.len() + self.content.measies.get().len())
    }

    fn is_still(&self, now: &Self) -> bool {
        format!("{:?}", self.record) == format!("{:?}", now.record)
    }
}
