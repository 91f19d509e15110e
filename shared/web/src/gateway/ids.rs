//! The ids of a request: one that the logs and the response share, and one for the trace that begins with it.

use std::sync::{Mutex, PoisonError};

use bespoke_core::Random;
use bespoke_storage::trace::TraceContext;
use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Builder;

/// Where it stands.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest that is taken over from a client, in bytes.
const MAX_BYTES: usize = 64;
/// Random numbers for the ids of one request: of the request, of its trace, of its place in the trace.
type Numbers = [u8; 16 + 16 + 8];
/// Requests that randomness is fetched for at once: ids are no secrets, and asking the system costs as much as a read of the database.
const STOCK: usize = 64;

/// Makes ids.
#[derive(Default)]
pub(super) struct RequestIds(Mutex<Vec<Numbers>>);

/// The ids of one request.
pub(super) struct Ids {
    /// The value of `X-Request-Id`.
    pub(super) request: HeaderValue,
    /// The trace that the request begins, unless it belongs to one already.
    pub(super) trace: TraceContext,
}

impl RequestIds {
    /// The id that the client chose, if it is a sensible one, or a new one, and a new trace.
    pub(super) fn of(&self, headers: &HeaderMap, random: &dyn Random) -> Ids {
        let numbers = self.numbers(random);
        let (request, rest) = numbers.split_first_chunk().expect("16 bytes are there");
        let (trace, rest) = rest.split_first_chunk().expect("16 bytes are there");
        let parent = rest.first_chunk().expect("8 bytes are there");
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
        stock.pop().expect("it was filled")
    }
}

fn uuid_of(random: [u8; 16]) -> HeaderValue {
    let uuid = Builder::from_random_bytes(random).into_uuid();
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    HeaderValue::from_str(uuid.hyphenated().encode_lower(&mut text)).expect("a UUID is visible ASCII")
}
