//! Time: the injected [`Clock`], [`Timestamp`], and the parser of durations in settings.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A source of the current time. Production uses the system clock; tests set the time by hand.
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// A moment in UTC, in milliseconds since the Unix epoch.
///
/// The serialized form is ISO 8601 in UTC with three decimals and `Z`, for example `2026-11-21T00:27:19.810Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Creates a timestamp from milliseconds since the Unix epoch.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down. Tokens use this unit.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Adds `ms` milliseconds. Saturates instead of overflowing.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        });
        write!(f, "{moment:.3}")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An invalid duration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not a duration: write a number of seconds, or a number and a unit such as 7d, 12h, 30m, 2 weeks, 500ms"
)]
pub struct DurationError(String);

const SECOND_MS: f64 = 1000.0;
const MINUTE_MS: f64 = 60.0 * SECOND_MS;
const HOUR_MS: f64 = 60.0 * MINUTE_MS;
const DAY_MS: f64 = 24.0 * HOUR_MS;
const WEEK_MS: f64 = 7.0 * DAY_MS;
const YEAR_MS: f64 = 365.25 * DAY_MS;

/// Maximum duration that is accepted: 100 years, in milliseconds.
const MAX_DURATION_MS: f64 = 100.0 * YEAR_MS;

/// Parses a duration such as `7d`, `1.5 hours`, `2w`, `90 s` or `500ms`, and returns milliseconds. A number without a unit means **seconds**.
/// (The original backend interpreted it as milliseconds, so that tokens expired within minutes.)
///
/// # Errors
/// [`DurationError`] for any other text, for zero, for negative values and for more than 100 years.
pub fn parse_duration_ms(text: &str) -> Result<i64, DurationError> {
    let error = || DurationError(text.to_owned());
    let trimmed = text.trim();
    let split = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let number: f64 = number.parse().map_err(|_| error())?;
    let unit_ms = match unit.trim().to_ascii_lowercase().as_str() {
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => 1.0,
        "" | "s" | "sec" | "secs" | "second" | "seconds" => SECOND_MS,
        "m" | "min" | "mins" | "minute" | "minutes" => MINUTE_MS,
        "h" | "hr" | "hrs" | "hour" | "hours" => HOUR_MS,
        "d" | "day" | "days" => DAY_MS,
        "w" | "week" | "weeks" => WEEK_MS,
        "y" | "yr" | "yrs" | "year" | "years" => YEAR_MS,
        _ => return Err(error()),
    };
    let ms = (number * unit_ms).round();
    if !(1.0..=MAX_DURATION_MS).contains(&ms) {
        return Err(error());
    }
    // The check above guarantees that the number fits: it is at most 3.2e12.
    Ok(ms as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_is_iso_8601_with_milliseconds() {
        assert_eq!(
            Timestamp::from_millis(1_795_220_839_810).to_string(),
            "2026-11-21T00:27:19.810Z"
        );
        assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            Timestamp::from_millis(i64::MAX).to_string().len(),
            "9999-12-30T22:00:00.999Z".len()
        );
    }

    #[test]
    fn duration_without_unit_is_in_seconds() {
        let cases = [
            ("7d", 604_800_000),
            ("3600", 3_600_000),
            ("1.5 hours", 5_400_000),
            ("500ms", 500),
            ("2W", 1_209_600_000),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_duration_ms(text), Ok(expected), "{text}");
        }
        for text in ["", "d", "7 parsecs", "-1h", "0", "1e3", "NaN", "101y", "1..5h"] {
            assert!(parse_duration_ms(text).is_err(), "{text}");
        }
    }
}
