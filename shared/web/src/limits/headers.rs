//! [`LimitState`]: writes the response headers `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers).

use bespoke_core::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::errors::{DAY_S, rest_of_day_s};
use crate::response::HeaderCache;

pub(super) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
pub(super) const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The usual length of one limit in a header, in bytes.
const FIELD_BYTES: usize = 40;

/// A limit for calls, as `RateLimit-Policy` describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(super) name: &'static str,
    pub(super) calls: u64,
    /// The period of the limit, in seconds.
    pub(super) window_s: u64,
}

/// The state of a limit after a call, as `RateLimit` describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitState {
    pub(super) limit: Limit,
    /// Calls that remain now.
    pub(super) remaining: u64,
    /// Time until all calls are available again, in seconds.
    pub(super) reset_s: u64,
}

impl LimitState {
    /// Returns the state of a daily quota (UTC) of which `remaining` calls remain.
    pub(crate) fn of_day(quota: u64, remaining: u64, now: Timestamp) -> Self {
        Self {
            limit: Limit {
                name: "day",
                calls: quota,
                window_s: DAY_S,
            },
            remaining,
            reset_s: rest_of_day_s(now),
        }
    }

    /// Inserts both headers for the limits of a request. `policy` caches the value of `RateLimit-Policy`, because it rarely changes.
    pub(crate) fn write(all: &[Self], headers: &mut HeaderMap, policy: &HeaderCache<Vec<Limit>>) {
        if all.is_empty() {
            return;
        }
        let limits = || all.iter().map(|state| state.limit);
        let write = || {
            let text = list(all, [";q=", ";w="], |state| [state.limit.calls, state.limit.window_s]);
            (limits().collect(), text)
        };
        headers.insert(
            POLICY,
            policy.value(|cached| limits().eq(cached.iter().copied()), write),
        );
        headers.insert(
            LIMIT,
            list(all, [";r=", ";t="], |state| [state.remaining, state.reset_s]),
        );
    }
}

/// Serializes a structured field: a list of names with two numeric parameters each. The text is built without `format!`, because almost
/// every response contains it.
fn list(all: &[LimitState], parameters: [&str; 2], numbers: impl Fn(&LimitState) -> [u64; 2]) -> HeaderValue {
    let mut text = String::with_capacity(all.len() * FIELD_BYTES);
    for state in all {
        text.push_str(if text.is_empty() { "\"" } else { ", \"" });
        text.push_str(state.limit.name);
        text.push('"');
        for (parameter, number) in parameters.iter().zip(numbers(state)) {
            text.push_str(parameter);
            text.push_str(itoa::Buffer::new().format(number));
        }
    }
    HeaderValue::try_from(text).expect("names and numbers are visible ASCII")
}
