//! `GET /admin/usage/{auth}`

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

/// Days that are told when nothing else is asked for.
const DEFAULT_DAYS: i64 = 7;
/// Keys, and accounts, that are told.
const HEAVIEST: usize = 100;

/// Calls with one API key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeyCalls {
    key: Uuid,
    /// `null` where the key is gone.
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
    /// The heaviest first, at most a hundred.
    keys: Vec<KeyCalls>,
    /// The heaviest first, at most a hundred.
    users: Vec<UserCalls>,
}

/// All calls, and those of them that were refused.
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

/// See who calls most
///
/// With which keys and by which accounts, over the last days. What other processes counted in the last minute may be missing.
#[utoipa::path(get, path = "/admin/usage/{auth}", tag = "Administration", operation_id = "readUsage",
    params(("days" = Option<i64>, Query, minimum = 1, maximum = 400, description = "How many days to look back, today included; 7 when left out.")),
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
    // First what is outside: what is merged meanwhile is then missing rather than counted twice.
    let outside = session.database().usage_outside().await?;
    let answer = session
        .read(|db| {
            let inside = usage::by_caller(db, first_day)?;
            let outside = outside.iter().filter(|usage| usage.day >= first_day);
            let (mut keys, mut users) = (HashMap::<_, Calls>::new(), HashMap::<_, Calls>::new());
            for usage in inside.iter().chain(outside) {
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
    Ok(ok(&answer))
}

/// The heaviest first; those that call alike in the order of their names.
fn heaviest<K: Ord>(counted: HashMap<K, Calls>) -> impl Iterator<Item = (K, Calls)> {
    let mut counted: Vec<_> = counted.into_iter().collect();
    counted.sort_by(|(one, calls), (other, others)| others.calls.cmp(&calls.calls).then_with(|| one.cmp(other)));
    counted.into_iter()
}

fn key_calls(db: &Db<'_>, counted: HashMap<(i64, Uuid), Calls>) -> Result<Vec<KeyCalls>> {
    let mut keys = Vec::new();
    for ((user_id, key), Calls { calls, refused }) in heaviest(counted).take(HEAVIEST) {
        // Counts of an account that has just gone.
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
    for (user_id, Calls { calls, refused }) in heaviest(counted).take(HEAVIEST) {
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
