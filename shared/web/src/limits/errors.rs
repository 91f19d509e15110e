//! The errors of calls beyond a limit: [`quota_exceeded`], [`writes_used_up`] and [`exports_used_up`].

use std::time::Duration;

use bespoke_core::Timestamp;

use crate::response::Error;

/// Error code of a rate limit: 429.
pub(crate) const TOO_MANY: &str = "tooManyRequests";
/// Error code of a daily limit for calls or bytes: 429.
pub(super) const QUOTA: &str = "quotaExceeded";

pub(super) const DAY_S: u64 = 24 * 60 * 60;

/// 429: the calls of this day (UTC) are used up. `Retry-After` is the time until the next day.
pub(crate) fn quota_exceeded(now: Timestamp) -> Error {
    Error::too_many(QUOTA, rest_of_day_s(now))
}

/// 429: the account may not write more bytes on this day (UTC).
pub(super) fn writes_used_up(now: Timestamp) -> Error {
    quota_exceeded(now).with_limit("writtenBytes")
}

/// 429: the account may not export more bytes on this day (UTC).
pub(super) fn exports_used_up(now: Timestamp) -> Error {
    quota_exceeded(now).with_limit("exportedBytes")
}

/// Returns the seconds until the next day (UTC) begins.
pub(super) fn rest_of_day_s(now: Timestamp) -> u64 {
    DAY_S - now.as_seconds().rem_euclid(DAY_S as i64).unsigned_abs()
}

/// Converts a duration to seconds, rounded up.
pub(super) fn seconds(duration: Duration) -> u64 {
    duration.as_secs_f64().ceil() as u64
}
