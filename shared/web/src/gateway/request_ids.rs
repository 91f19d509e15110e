//! [`RequestIds`]: chooses the request id for the log and the response, and the ids of a new trace.

use std::sync::{Mutex, PoisonError};

use bespoke_core::Random;
use bespoke_storage::trace::TraceContext;
use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Builder;

/// The header with the request id.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Maximum length of a request id from a client, in bytes.
const MAX_BYTES: usize = 64;
/// Random bytes for one request: for its id, its trace id and its parent id.
type Numbers = [u8; 16 + 16 + 8];
/// The number of requests for which random bytes are fetched at once, because one system call costs as much as a read of the database. Ids
/// are not secret, so they may wait in memory.
const STOCK: usize = 64;

/// A generator of ids.
#[derive(Default)]
pub(super) struct RequestIds(Mutex<Vec<Numbers>>);

/// The ids of one request.
pub(super) struct Ids {
    /// The value of `X-Request-Id`.
    pub(super) request: HeaderValue,
    /// A new trace, for a request that belongs to no trace.
    pub(super) trace: TraceContext,
}

impl RequestIds {
    /// Returns the ids of a request. The request id is that of the client if it is well-formed, and otherwise a new UUID.
    pub(super) fn of(&self, headers: &HeaderMap, random: &dyn Random) -> Ids {
        let numbers = self.numbers(random);
        let (request, rest) = numbers.split_first_chunk().expect("the array has 40 bytes");
        let (trace, rest) = rest.split_first_chunk().expect("the array has 40 bytes");
        let parent = rest.first_chunk().expect("the array has 40 bytes");
        let sent = headers.get(REQUEST_ID).filter(|id| {
            (1..=MAX_BYTES).contains(&id.len()) && id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
        });
        Ids {
            request: sent.cloned().unwrap_or_else(|| uuid_of(*request)),
            trace: TraceContext::new(u128::from_be_bytes(*trace), u64::from_be_bytes(*parent)),
        }
    }

    fn numbers(&self, random: &dyn Random) -> Numbers {
        let mut stock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stock.is_empty() {
            let mut bytes = [0; size_of::<Numbers>() * STOCK];
            random.fill(&mut bytes);
            stock.extend(bytes.as_chunks().0);
        }
        stock.pop().expect("the stock was filled")
    }
}

fn uuid_of(random: [u8; 16]) -> HeaderValue {
    let uuid = Builder::from_random_bytes(random).into_uuid();
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    HeaderValue::from_str(uuid.hyphenated().encode_lower(&mut text)).expect("a UUID is visible ASCII")
}
