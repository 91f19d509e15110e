//! Counted calls, by day.

use std::collections::BTreeMap;

use bespoke_core::Timestamp;
use bespoke_database::usage::{KEPT_DAYS, Usage, day_of, start_of};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::{IntoParams, ToSchema};

use crate::{Error, Result};

/// Days that are told when nothing else is asked for.
const DEFAULT_DAYS: i64 = 30;

/// How many days to look back.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Days {
    /// How many days to look back, today included.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 400, default = 30)]
    days: Option<String>,
}

impl Days {
    /// The first of the days, since the Unix epoch.
    ///
    /// # Errors
    /// 400 `daysInvalid`
    pub fn first(&self, now: Timestamp) -> Result<i64> {
        self.first_or(now, DEFAULT_DAYS)
    }

    /// The same with another number of days where none is asked for.
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

/// What was counted on one day.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct UsageOfDay {
    /// UTC.
    #[serde(serialize_with = "date")]
    #[schema(value_type = String, format = Date)]
    day: i64,
    /// All calls.
    calls: i64,
    /// Those of them that were refused.
    refused: i64,
}

/// What was counted on several days.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageReport {
    /// Days without calls are left out; oldest first.
    pub usage: Vec<UsageOfDay>,
    /// All of these days together.
    pub calls: i64,
    /// The last call.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub last_seen: Option<Timestamp>,
}

impl UsageReport {
    /// Adds up what was counted; `last_seen` is what the database knows.
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
