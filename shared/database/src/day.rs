//! Converts timestamps to days (UTC) since the Unix epoch, and back.

use bespoke_core::Timestamp;

/// Length of a day in milliseconds.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Returns the day of a moment (UTC, since the Unix epoch).
pub const fn day_of(moment: Timestamp) -> i64 {
    moment.as_millis().div_euclid(DAY_MS)
}

/// Returns the first moment of a day.
pub const fn start_of(day: i64) -> Timestamp {
    Timestamp::from_millis(day.saturating_mul(DAY_MS))
}
