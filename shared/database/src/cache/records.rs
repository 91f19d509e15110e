//! The cached records that `bespoke-core` does not define: [`Credential`] and [`CachedSet`]. Also compares cached
//! records with stored ones.

use std::ops::Deref;
use std::sync::OnceLock;

use bespoke_core::entity::set::{MeasurementSet, SetContent};
use bespoke_core::entity::user::AccountStatus;
use bespoke_core::measurement::{Design, StoredMeasurements};
use bespoke_core::{Level, Networks, Scopes, StoredSecret, Timestamp};
use bytes::Bytes;

use super::versioned::Cacheable;

/// Maximum size of the response that shows a set, without the texts of the set, in bytes.
const SET_RESPONSE_BYTES: usize = 1024;

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
    /// The moment from which the key is refused.
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
    fn bytes(&self) -> usize {
        let names = self.needs.required.iter().chain(&self.needs.optional);
        names.map(|name| size_of::<String>() + name.capacity()).sum()
    }

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
    /// The response is counted from the beginning, although it is made later.
    fn bytes(&self) -> usize {
        let SetContent {
            name,
            notes,
            measies,
            img,
            ..
        } = &self.content;
        let measies = measies.get().len();
        let img = img.as_ref().map_or(0, String::len);
        let record = name.capacity() + notes.capacity() + measies + img;
        // The response names the image three times.
        let response = json_bytes(name) + json_bytes(notes) + measies + 3 * img;
        record + response + SET_RESPONSE_BYTES
    }

    fn is_still(&self, now: &Self) -> bool {
        format!("{:?}", self.record) == format!("{:?}", now.record)
    }
}

/// Returns the length of a text in JSON. A control character takes up to six bytes there.
pub(super) fn json_bytes(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(escaped).sum()
}
