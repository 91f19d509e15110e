//! `GET /patterns/{auth}`: [`list`] returns the caller's patterns. `GET /patterns/{id}/{auth}`: [`read`] returns one pattern.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_database::{Db, patterns, stored_bytes};
use bespoke_web::level::READ_SOME;
use bespoke_web::{Caller, Error, Id, Outcome, Paging, Params, Query, Result, Session, view};
use serde::Serialize;
use utoipa::ToSchema;

use crate::PatternResponse;

#[derive(Serialize, ToSchema)]
pub(crate) struct PatternList {
    result: Outcome,
    patterns: Vec<view::Pattern>,
}

/// List the caller's patterns
#[utoipa::path(get, path = "/patterns/{auth}", tag = "Patterns", operation_id = "listPatterns", params(Paging),
    responses(
        (status = 200, description = "The patterns of the caller, oldest first.", body = PatternList),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
pub(crate) async fn list(caller: Caller<READ_SOME>, session: Session, paging: Query<Paging>) -> Result<Response> {
    let (page, user_id, context) = (paging.0.page()?, caller.actor.user_id, session.clone());
    let bytes = |db: &Db<'_>, max_bytes| Ok(stored_bytes(db, "patterns", user_id, page, max_bytes)?);
    let list = move |db: &Db<'_>| {
        let patterns = patterns::by_user(db, user_id, page)?.into_iter();
        Ok(PatternList {
            result: Outcome::Success,
            patterns: patterns.map(|pattern| view::Pattern::new(pattern, &context)).collect(),
        })
    };
    bespoke_web::stored_list(&session, bytes, list).await
}

/// Read a pattern
///
/// Level 6 can read the patterns of all accounts. For other callers, this route returns only their own patterns, not public ones.
#[utoipa::path(get, path = "/patterns/{id}/{auth}", tag = "Patterns", operation_id = "readPattern",
    responses(
        (status = 200, description = "The pattern.", body = PatternResponse),
        (status = 403, description = "`idNotNumeric`: the id is neither a number nor a UUID."),
        (status = 404, description = "There is no such pattern."),
    ))]
pub(crate) async fn read(caller: Caller<READ_SOME>, session: Session, params: Params) -> Result<Response> {
    let id = EntityId::parse(params.get("id")).ok_or(Error::forbidden("idNotNumeric"))?;
    let pattern = session.read(|db| crate::find(db, Id(id))).await?;
    caller.actor.may_read(pattern.user_id)?;
    if !pattern.content.public {
        let audit_entry = session.audit_entry("patterns.read").target("patterns", pattern.id);
        caller.record_read(&session, audit_entry, pattern.user_id).await?;
    }
    Ok(crate::show(&session, Outcome::Success, pattern, None))
}
