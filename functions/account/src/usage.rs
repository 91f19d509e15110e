//! `GET /account/usage/{auth}`: [`usage`] returns the number of the caller's calls and the size of the caller's storage.

use std::collections::HashMap;

use axum::response::Response;
use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::{EntityId, Timestamp};
use bespoke_database::account_storage::{self, AccountStorage, live_keys};
use bespoke_database::usage::{self, Usage};
use bespoke_database::{Page, api_keys, users};
use bespoke_web::level::READ_SOME;
use bespoke_web::view::usage::{Days, UsageOfDay, UsageReport};
use bespoke_web::{AccountLimits, Caller, Outcome, Query, Result, Session, ok};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Calls with one API key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeyUsage {
    id: Uuid,
    key: Uuid,
    name: Value,
    usage: Vec<UsageOfDay>,
    /// Calls on all of these days.
    calls: i64,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_seen: Option<Timestamp>,
}

impl KeyUsage {
    fn new(key: ApiKey, report: UsageReport) -> Self {
        let UsageReport {
            usage,
            calls,
            last_seen,
        } = report;
        Self {
            id: key.uuid,
            key: key.uuid,
            name: key.name,
            usage,
            calls,
            last_seen,
        }
    }
}

/// Limits for calls of the account.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CallLimits {
    /// For each API key, and for all calls of the account. `null` if unlimited.
    #[schema(required)]
    calls_per_minute: Option<u32>,
    /// For each API key. `null` if unlimited.
    #[schema(required)]
    calls_per_day: Option<u64>,
}

/// A number of stored records or bytes, and its limit.
#[derive(Serialize, ToSchema)]
#[schema(as = Stored)]
struct StoredAmount {
    stored: u64,
    limit: u64,
}

/// The storage of an account. If a limit is exceeded, records can still be read, changed and deleted, but the account cannot grow.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AccountStored {
    sets: StoredAmount,
    patterns: StoredAmount,
    bookmarks: StoredAmount,
    /// API keys that have not expired.
    apikeys: StoredAmount,
    /// Stored size of the texts of these records and of suggestions, in bytes.
    text_bytes: StoredAmount,
}

impl AccountStored {
    fn new(stored: &AccountStorage, live_keys: u64, limits: &AccountLimits) -> Self {
        let pair = |stored, limit| StoredAmount { stored, limit };
        Self {
            sets: pair(stored.sets, limits.sets),
            patterns: pair(stored.patterns, limits.patterns),
            bookmarks: pair(stored.bookmarks, limits.bookmarks),
            apikeys: pair(live_keys, limits.live_keys),
            text_bytes: pair(stored.text_bytes, limits.text_bytes),
        }
    }
}

/// The bytes that the account has written today (UTC): the encrypted texts of rows that it created or changed, images, and 4 KiB
/// for each write.
#[derive(Serialize, ToSchema)]
struct WrittenToday {
    bytes: u64,
    /// `null` if unlimited.
    #[schema(required)]
    limit: Option<u64>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AccountUsage {
    result: Outcome,
    limits: CallLimits,
    storage: AccountStored,
    written_today: WrittenToday,
    /// All existing API keys, also those without calls, oldest first.
    keys: Vec<KeyUsage>,
    /// Calls with tokens.
    tokens: UsageReport,
}

/// Read the caller's calls and storage
///
/// Calls by API key and day, oldest first, without the days that have no calls. Calls of the last minute may be missing, because
/// processes flush their counters about once a minute. `limits` contains the limits for calls, `storage` the stored records and their
/// limits, and `writtenToday` the bytes that the account has written today.
#[utoipa::path(get, path = "/account/usage/{auth}", tag = "Accounts", operation_id = "readAccountUsage", params(Days),
    responses(
        (status = 200, description = "Calls with each key, and with tokens.", body = AccountUsage),
        (status = 400, description = "`daysInvalid`: `days` is not a number from 1 to 400."),
    ))]
pub(crate) async fn usage(caller: Caller<READ_SOME>, session: Session, Query(days): Query<Days>) -> Result<Response> {
    let first_day = days.first(session.now())?;
    let user_id = caller.actor.user_id;
    // A count that is merged into the database between the two reads may be reported twice.
    let unmerged = session.database().usage().unmerged().await?;
    let now = session.now();
    let (keys, merged, quota, storage, written_today) = session
        .read(|db| {
            let keys = api_keys::by_user(db, user_id, Page::ALL)?;
            let user = users::by_id(db, EntityId::Integer(user_id))?;
            let quota = user.and_then(|user| user.quota);
            let limits = &session.config().account_limits;
            let (stored, live_keys) = (account_storage::of(db, user_id)?, live_keys(db, user_id, now)?);
            let storage = AccountStored::new(&stored, live_keys, limits);
            let written_today = WrittenToday {
                bytes: stored.written_today(now),
                limit: limits.written_bytes_per_day,
            };
            let merged = usage::by_user(db, user_id, first_day)?;
            Ok((keys, merged, quota, storage, written_today))
        })
        .await?;
    let config = session.config();
    let limits = CallLimits {
        calls_per_minute: config.limits.map(|limits| limits.callers.get()),
        calls_per_day: config.limits.map(|_| quota.map_or(config.key_quota, u64::from)),
    };
    let mut counted: HashMap<Option<Uuid>, Vec<&Usage>> = HashMap::new();
    let own = |usage: &&Usage| usage.user_id == user_id && usage.day >= first_day;
    for usage in merged.iter().chain(&unmerged).filter(own) {
        counted.entry(usage.key).or_default().push(usage);
    }
    let mut report = |key, last_seen| UsageReport::of(counted.remove(&key).unwrap_or_default().into_iter(), last_seen);
    let keys = keys.into_iter().map(|key| {
        let report = report(Some(key.uuid), key.last_seen);
        KeyUsage::new(key, report)
    });
    let keys = keys.collect();
    Ok(ok(&AccountUsage {
        result: Outcome::Success,
        limits,
        storage,
        written_today,
        keys,
        tokens: report(None, None),
    }))
}
