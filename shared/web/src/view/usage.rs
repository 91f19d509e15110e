//! [`UsageReport`]: usage counters by day ([`UsageOfDay`]) in a response. [`Days`] selects the days.

use std::collections::BTreeMap;

use bespoke_core::Timestamp;
use bespoke_database::usage::{KEPT_DAYS, Usage, day_of, start_of};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::{IntoParams, ToSchema};

use crate::response::{Error, Result};

/// The default number of days in a report.
const DEFAULT_DAYS: i64 = 30;

/// The query of a usage report.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Days {
    /// How many days to look back, today included.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 400, default = 30)]
    days: Option<String>,
}

impl Days {
    /// Returns the first day of the report, in days since the Unix epoch.
    ///
    /// # Errors
    /// 400 `daysInvalid`
    pub fn first(&self, now: Timestamp) -> Result<i64> {
        self.first_or(now, DEFAULT_DAYS)
    }

    /// Returns the first day of the report, with another default number of days.
    ///
    /// # Errors
    /// 400 `daysInvalid`
    pub fn first_or(&self, now: Timestamp, default: i64) -> Result<i64> {
        let days = match &self.days {
            None => Some(default),
            Some(text) => text.parse().ok().filter(|days| (1..=KEPT_DAYS).contains(days)),
        };
        let days = days.ok_or(Error::bad_request("daysInvalid"))?;
        Ok(day_of(now) - days + 1)
    }
}

/// The calls of one day.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct UsageOfDay {
    /// The day (UTC).
    #[serde(serialize_with = "date")]
    #[schema(value_type = String, format = Date)]
    day: i64,
    /// All calls.
    calls: i64,
    /// Refused calls.
    refused: i64,
}

/// The calls of several days.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageReport {
    /// The days with calls, oldest first.
    pub usage: Vec<UsageOfDay>,
    /// The calls of all these days.
    pub calls: i64,
    /// Time of the last call.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub last_seen: Option<Timestamp>,
}

impl UsageReport {
    /// Adds up counters. `last_seen` is the last call that the database knows.
    pub fn of<'a>(counted: impl Iterator<Item = &'a Usage>, mut last_seen: Option<Timestamp>) -> Self {
        let (mut days, mut calls) = (BTreeMap::<i64, UsageOfDay>::new(), 0);
        for usage in counted {
            let day = days.entry(usage.day).or_default();
            day.day = usage.day;
            day.calls += usage.calls;
            day.refused += usage.refused;
            calls += usage.calls;
            let last = Some(Timestamp::from_millis(usage.last_ms)).filter(|_| usage.last_ms > 0);
            last_seen = last_seen.max(last);
        }
        Self {
            usage: days.into_values().collect(),
            calls,
            last_seen,
        }
    }
}

fn date<S: Serializer>(day: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    let moment = start_of(*day).to_string();
    serializer.serialize_str(moment.split('T').next().unwrap_or_default())
}
