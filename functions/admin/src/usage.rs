//! `GET /admin/usage/{auth}`: [`usage`] lists the accounts and API keys with the most calls.

use std::collections::HashMap;

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_database::usage::{self, Usage};
use bespoke_database::{Db, api_keys, users};
use bespoke_web::level::ADMIN;
use bespoke_web::view::usage::Days;
use bespoke_web::{Caller, Outcome, Query, Result, Session, ok};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Number of days if the request does not name one.
const DEFAULT_DAYS: i64 = 7;
/// Maximum number of keys, and of accounts, in a response.
const MAX_CALLERS: usize = 100;

/// Calls with one API key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeyCalls {
    key: Uuid,
    /// `null` if the key was deleted.
    #[schema(required)]
    name: Option<Value>,
    user_id: i64,
    username: String,
    calls: i64,
    refused: i64,
}

/// Calls by one account, with its keys and with tokens.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UserCalls {
    user_id: i64,
    username: String,
    calls: i64,
    refused: i64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct UsageOfAll {
    result: Outcome,
    /// At most 100 keys, those with the most calls first.
    keys: Vec<KeyCalls>,
    /// At most 100 accounts, those with the most calls first.
    users: Vec<UserCalls>,
}

/// Number of calls, and of refused calls among them.
#[derive(Clone, Copy, Default)]
struct Calls {
    calls: i64,
    refused: i64,
}

impl Calls {
    fn add(&mut self, usage: &Usage) {
        self.calls += usage.calls;
        self.refused += usage.refused;
    }
}

/// List the heaviest callers
///
/// Calls of the last days by key and by account. Calls of the last minute may be missing, because processes flush their counters
/// about once a minute.
#[utoipa::path(get, path = "/admin/usage/{auth}", tag = "Administration", operation_id = "readUsage",
    params(("days" = Option<i64>, Query, minimum = 1, maximum = 400, description = "Number of days, including today. Default: 7.")),
    responses(
        (status = 200, description = "The heaviest callers.", body = UsageOfAll),
        (status = 400, description = "`daysInvalid`: `days` is not a number from 1 to 400."),
    ))]
pub(crate) async fn usage(caller: Caller<ADMIN>, session: Session, Query(days): Query<Days>) -> Result<Response> {
    let first_day = days.first_or(session.now(), DEFAULT_DAYS)?;
    let audit_entry = session.audit_entry("usage.read");
    caller
        .write(&session, move |db, actor| audit_entry.record(db, actor))
        .await?;
    // A count that is merged into the database between the two reads may be reported twice.
    let unmerged = session.database().usage().unmerged().await?;
    let response = session
        .read(|db| {
            let merged = usage::by_caller(db, first_day)?;
            let unmerged = unmerged.iter().filter(|usage| usage.day >= first_day);
            let (mut keys, mut users) = (HashMap::<_, Calls>::new(), HashMap::<_, Calls>::new());
            for usage in merged.iter().chain(unmerged) {
                users.entry(usage.user_id).or_default().add(usage);
                if let Some(key) = usage.key {
                    keys.entry((usage.user_id, key)).or_default().add(usage);
                }
            }
            Ok(UsageOfAll {
                result: Outcome::Success,
                keys: key_calls(db, keys)?,
                users: user_calls(db, users)?,
            })
        })
        .await?;
    Ok(ok(&response))
}

/// Sorts by calls, most first, and then by key.
fn heaviest<K: Ord>(counted: HashMap<K, Calls>) -> impl Iterator<Item = (K, Calls)> {
    let mut counted: Vec<_> = counted.into_iter().collect();
    counted.sort_by(|(one, calls), (other, others)| others.calls.cmp(&calls.calls).then_with(|| one.cmp(other)));
    counted.into_iter()
}

fn key_calls(db: &Db<'_>, counted: HashMap<(i64, Uuid), Calls>) -> Result<Vec<KeyCalls>> {
    let mut keys = Vec::new();
    for ((user_id, key), Calls { calls, refused }) in heaviest(counted).take(MAX_CALLERS) {
        // The account was removed in the meantime.
        let Some(username) = username(db, user_id)? else {
            continue;
        };
        keys.push(KeyCalls {
            key,
            name: api_keys::by_uuid(db, key)?.map(|key| key.name),
            user_id,
            username,
            calls,
            refused,
        });
    }
    Ok(keys)
}

fn user_calls(db: &Db<'_>, counted: HashMap<i64, Calls>) -> Result<Vec<UserCalls>> {
    let mut users = Vec::new();
    for (user_id, Calls { calls, refused }) in heaviest(counted).take(MAX_CALLERS) {
        let Some(username) = username(db, user_id)? else {
            continue;
        };
        users.push(UserCalls {
            user_id,
            username,
            calls,
            refused,
        });
    }
    Ok(users)
}

fn username(db: &Db<'_>, user_id: i64) -> Result<Option<String>> {
    Ok(users::by_id(db, EntityId::Integer(user_id))?.map(|user| user.username))
}
