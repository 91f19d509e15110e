//! The id of a request, which the logs and the answer share.

use std::sync::{Mutex, PoisonError};

use bespoke_core::Random;
use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Builder;

/// Where it stands.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest that is taken over from a client, in bytes.
const MAX_BYTES: usize = 64;
/// The random part of an id, in bytes.
const RANDOM_BYTES: usize = 16;
/// Ids that randomness is fetched for at once: they are no secrets, and asking the system costs as much as a read of the database.
const STOCK: usize = 64;

/// Makes ids.
#[derive(Default)]
pub(super) struct RequestIds(Mutex<Vec<[u8; RANDOM_BYTES]>>);

impl RequestIds {
    /// The id that the client chose, where it is a sensible one, or a new one.
    pub(super) fn of(&self, headers: &HeaderMap, random: &dyn Random) -> HeaderValue {
        let sent = headers.get(REQUEST_ID).filter(|id| {
            (1..=MAX_BYTES).contains(&id.len()) && id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
        });
        sent.cloned().unwrap_or_else(|| self.fresh(random))
    }

    fn fresh(&self, random: &dyn Random) -> HeaderValue {
        let mut stock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stock.is_empty() {
            let mut bytes = [0; RANDOM_BYTES * STOCK];
            random.fill(&mut bytes);
            stock.extend(bytes.as_chunks().0);
        }
        let uuid = Builder::from_random_bytes(stock.pop().unwrap_or_default()).into_uuid();
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        HeaderValue::from_str(uuid.hyphenated().encode_lower(&mut text)).expect("a UUID is visible ASCII")
    }
}
