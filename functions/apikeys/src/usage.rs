//! `GET /apikeys/{id}/usage/{auth}`: [`usage`] returns the number of calls with an API key by day.

use axum::response::Response;
use bespoke_core::Timestamp;
use bespoke_database::usage;
use bespoke_web::level::READ_SOME;
use bespoke_web::view::usage::{Days, UsageOfDay, UsageReport};
use bespoke_web::{Caller, Id, Outcome, Query, Result, Session, ok};
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ApiKeyUsage)]
struct UsageResponse {
    result: Outcome,
    usage: Vec<UsageOfDay>,
    /// Calls on all of these days.
    calls: i64,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_seen: Option<Timestamp>,
}

/// Read the number of calls with an API key
///
/// By day, oldest first, without the days that have no calls. Calls of the last minute may be missing, because processes flush their
/// counters about once a minute.
#[utoipa::path(get, path = "/apikeys/{id}/usage/{auth}", tag = "API keys", operation_id = "readApiKeyUsage",
    params(("id" = Uuid, Path, description = "UUID of the key."), Days),
    responses(
        (status = 200, description = "Calls with the key.", body = UsageResponse),
        (status = 400, description = "`daysInvalid`: `days` is not a number from 1 to 400."),
        (status = 404, description = "There is no such key."),
    ))]
pub(crate) async fn usage(
    caller: Caller<READ_SOME>,
    session: Session,
    id: Id,
    Query(days): Query<Days>,
) -> Result<Response> {
    let first_day = days.first(session.now())?;
    // A count that is merged into the database between the two reads may be reported twice.
    let unmerged = session.database().usage().unmerged().await?;
    let (key, merged) = session
        .read(|db| {
            let key = crate::find(db, id)?;
            caller.actor.may_manage_key(key.user_id)?;
            let merged = usage::by_user(db, key.user_id, first_day)?;
            Ok((key, merged))
        })
        .await?;
    let audit_entry = session.audit_entry("apikeys.readUsage").target("apikeys", key.uuid);
    caller.record_read(&session, audit_entry, key.user_id).await?;
    let of_key = |usage: &&usage::Usage| usage.key == Some(key.uuid) && usage.day >= first_day;
    let counted = merged.iter().chain(&unmerged).filter(of_key);
    let UsageReport {
        usage,
        calls,
        last_seen,
    } = UsageReport::of(counted, key.last_seen);
    Ok(ok(&UsageResponse {
        result: Outcome::Success,
        usage,
        calls,
        last_seen,
    }))
}
