//! [`take_call`]: counts a call with an API key against its daily quota.

use bespoke_core::Timestamp;
use bespoke_database::Db;
use bespoke_database::quota::{self, KeyQuota};
use bespoke_database::usage;

use super::access_check::Authenticated;
use super::identity::AuthMethod;
use crate::limits::{LimitState, quota_exceeded};
use crate::response::Result;
use crate::state::{Context, Session};

impl Authenticated {
    /// Returns the daily quota of the key and the number of calls that the database knows of this day. `None` for a token, and if limits are
    /// switched off.
    pub(super) fn quota(&self, db: &Db<'_>, context: &Context, now: Timestamp) -> Result<Option<(KeyQuota, u64)>> {
        let (Some(credential), AuthMethod::Key(key), true) =
            (&self.key, self.identity.auth_method, context.limits().is_some())
        else {
            return Ok(None);
        };
        let quota = KeyQuota {
            user_id: self.identity.actor.user_id,
            key,
            calls: credential.quota.map_or(context.config().key_quota, u64::from),
        };
        Ok(Some((quota, quota::made(db, &quota, now)?)))
    }
}

/// Counts a call for the daily quota of a key. `made` is the number of calls that the database knows.
///
/// Far from the quota, the call is only counted in memory. Near the quota, the process reserves calls in the database, so that several
/// processes together cannot exceed it.
///
/// # Errors
/// 429 if the quota is used up.
pub(super) async fn take_call((quota, made): (KeyQuota, u64), session: &Session, now: Timestamp) -> Result<LimitState> {
    let database = session.database();
    let of_day = |remaining| LimitState::of_day(quota.calls, remaining, now);
    let in_memory = database
        .usage()
        .calls_in_memory(quota.user_id, quota.key, usage::day_of(now));
    let known_calls = made + in_memory.unsigned_abs();
    if !quota::is_near(quota.calls, known_calls) {
        return Ok(of_day(quota.calls - known_calls - 1));
    }
    if let Some(remaining) = database.usage().take_reserved_call(&quota, now) {
        return Ok(of_day(remaining));
    }
    if made >= quota.calls {
        return Err(quota_exceeded(now));
    }
    let request = database.usage().next_reservation(quota, now);
    match session
        .write_on_any_route(move |db| Ok(quota::reserve(db, request)?))
        .await
    {
        Ok(granted) => {
            let remaining = database.usage().record_reservation(request, granted);
            remaining.map(of_day).ok_or_else(|| quota_exceeded(now))
        }
        // If the bucket accepts no writes, the call is served without a reservation, so that reads keep working.
        Err(error) if error.status().is_server_error() => {
            tracing::warn!(code = error.code(), "a call is served without a reservation");
            Ok(of_day(quota.calls - made - 1))
        }
        Err(error) => Err(error),
    }
}
