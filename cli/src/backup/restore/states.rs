//! Parses the state to restore, prints the list of states that can be restored, and explains why a state cannot be
//! restored.

use anyhow::{Error, Result, anyhow};
use bespoke_database::{DatedVersion, NotRestorable, RestorePoint, VersionRange};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::output;

/// The header of the list.
const HEADER: &str = "    states  from                                    to";
/// The text for an unknown time.
const NO_TIME: &str = "-";

/// Parses a state (`1-1234`) or a moment (`2026-11-21T10:00:00Z`).
pub(super) fn point(text: &str) -> Result<RestorePoint> {
    if let Ok(version) = text.parse() {
        return Ok(RestorePoint::At(version));
    }
    let moment: Timestamp = text
        .parse()
        .map_err(|_| anyhow!("`{text}` is neither a state (1-1234) nor a moment (2026-11-21T10:00:00Z)"))?;
    let ms =
        u64::try_from(moment.as_millisecond()).map_err(|_| anyhow!("`{text}` is before 1970: no state is that old"))?;
    Ok(RestorePoint::Before(ms))
}

/// Replaces the error of a state that cannot be restored with a sentence for the operator. Other errors are returned
/// unchanged.
pub(super) fn explain(error: bespoke_database::Error) -> Error {
    match error {
        bespoke_database::Error::Storage(bespoke_storage::Error::NotRestorable(why)) => anyhow!(sentence(&why)),
        other => other.into(),
    }
}

fn sentence(why: &NotRestorable) -> String {
    let list = "`bespoke restore --list` shows the states that can be restored";
    match why {
        NotRestorable::Future { wanted_ms, now_ms } => {
            format!(
                "{} is in the future: the current time is {}",
                time(*wanted_ms),
                time(*now_ms)
            )
        }
        NotRestorable::BeforeFirst {
            wanted_ms,
            first_ms: Some(first_ms),
        } => format!(
            "{} is before the first state that can be restored, which was written at {}. {list}",
            time(*wanted_ms),
            time(*first_ms)
        ),
        NotRestorable::BeforeFirst { wanted_ms, .. } => {
            format!("no state of {} can be restored. {list}", time(*wanted_ms))
        }
        NotRestorable::Unknown(version) => format!("{version} is not a state that can be restored. {list}"),
        NotRestorable::Between { before, after } => format!(
            "the states between {} and {} can no longer be restored individually: restore one of these two. {list}",
            with_time(before),
            with_time(after)
        ),
        NotRestorable::Gone { version, key } => {
            format!("{version} cannot be restored, because the object {key} is missing: restore another state. {list}")
        }
        other => other.to_string(),
    }
}

/// Prints the states that can be restored.
pub(super) fn print(ranges: &[VersionRange], as_json: bool) {
    output::print(as_json, || ranges.iter().map(as_value).collect(), || lines(ranges));
}

fn as_value(range: &VersionRange) -> Value {
    let at = |state: &DatedVersion| state.at_ms.map(time);
    json!({
        "first": range.first.version.to_string(),
        "firstAt": at(&range.first),
        "last": range.last.version.to_string(),
        "lastAt": at(&range.last),
        "states": count(range),
    })
}

/// Returns the number of states in the range.
fn count(range: &VersionRange) -> u64 {
    range.last.version.seq - range.first.version.seq + 1
}

fn lines(ranges: &[VersionRange]) {
    output::say!("{HEADER}");
    for range in ranges {
        let at = |state: &DatedVersion| state.at_ms.map_or_else(|| NO_TIME.to_owned(), time);
        output::say!(
            "{:>10}  {:<12} {:<26} {:<12} {}",
            count(range),
            range.first.version.to_string(),
            at(&range.first),
            range.last.version.to_string(),
            at(&range.last)
        );
    }
    if ranges
        .windows(2)
        .any(|pair| pair[0].first.version.epoch == pair[1].first.version.epoch)
    {
        output::say!(
            "\nStates between two lines of one epoch (the number before the dash) are not kept one by one: version 0.1 merged\n\
             them, or they are older than seven days."
        );
    }
}

fn with_time(state: &DatedVersion) -> String {
    match state.at_ms {
        Some(at_ms) => format!("{} ({})", state.version, time(at_ms)),
        None => state.version.to_string(),
    }
}

/// Returns a time in the format of `--at`.
fn time(ms: u64) -> String {
    let moment = i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    moment.map_or_else(|| format!("{ms} ms since 1970"), |moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_contain_times() {
        let state = |seq, at_ms| DatedVersion {
            version: bespoke_database::Version { epoch: 1, seq },
            at_ms,
        };
        let future = NotRestorable::Future {
            wanted_ms: 1_800_000_000_000,
            now_ms: 1_795_307_240_123,
        };
        let early = NotRestorable::BeforeFirst {
            wanted_ms: 1_000,
            first_ms: Some(1_795_307_240_123),
        };
        let between = NotRestorable::Between {
            before: state(5, Some(1_795_307_240_000)),
            after: state(9, None),
        };
        for (why, begin) in [
            (
                future,
                "2027-01-15T08:00:00Z is in the future: the current time is 2026-11-22T00:27:20.123Z",
            ),
            (
                early,
                "1970-01-01T00:00:01Z is before the first state that can be restored, which was written at 2026-11-22T00:27:20.123Z.",
            ),
            (
                between,
                "the states between 1-5 (2026-11-22T00:27:20Z) and 1-9 can no longer be restored individually: restore one of these two.",
            ),
            (
                NotRestorable::Unknown(bespoke_database::Version { epoch: 1, seq: 77 }),
                "1-77 is not a state that can be restored.",
            ),
        ] {
            let text = sentence(&why);
            assert!(text.starts_with(begin), "{text}");
        }
    }

    #[test]
    fn restore_point_is_a_moment_or_a_state() {
        assert_eq!(point("1970-01-01T00:00:02.5Z").unwrap(), RestorePoint::Before(2_500));
        let version = bespoke_database::Version { epoch: 2, seq: 31 };
        assert_eq!(point("2-31").unwrap(), RestorePoint::At(version));
        for odd in ["yesterday", "1960-01-01T00:00:00Z", "2026-11-21"] {
            point(odd).unwrap_err();
        }
    }
}
