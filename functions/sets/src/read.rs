//! `GET /sets/{auth}`: [`list`] returns the caller's measurement sets. `GET /sets/{id}/{auth}`: [`read`] returns one set.

use axum::response::Response;
use bespoke_database::{Db, sets, stored_bytes};
use bespoke_web::level::READ_SOME;
use bespoke_web::{Caller, Id, Outcome, Paging, Query, Result, Session, view};
use serde::Serialize;
use utoipa::ToSchema;

use crate::SetResponse;

#[derive(Serialize, ToSchema)]
pub(crate) struct SetList {
    result: Outcome,
    sets: Vec<view::Set>,
}

/// List the caller's measurements sets
#[utoipa::path(get, path = "/sets/{auth}", tag = "Sets", operation_id = "listSets",
    params(Paging),
    responses(
        (status = 200, description = "The sets of the caller, oldest first.", body = SetList),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
pub(crate) async fn list(caller: Caller<READ_SOME>, session: Session, paging: Query<Paging>) -> Result<Response> {
    let (page, user_id, context) = (paging.0.page()?, caller.actor.user_id, session.clone());
    let bytes = |db: &Db<'_>, max_bytes| Ok(stored_bytes(db, "sets", user_id, page, max_bytes)?);
    let list = move |db: &Db<'_>| {
        let sets = sets::by_user(db, user_id, page)?;
        Ok(SetList {
            result: Outcome::Success,
            sets: sets.into_iter().map(|set| view::Set::new(&set, &context)).collect(),
        })
    };
    bespoke_web::stored_list(&session, bytes, list).await
}

/// Read a measurements set
///
/// Level 6 can read the sets of all accounts. For other callers, this route returns only their own sets, not public ones.
#[utoipa::path(get, path = "/sets/{id}/{auth}", tag = "Sets", operation_id = "readSet",
    responses(
        (status = 200, description = "The set.", body = SetResponse),
        (status = 404, description = "There is no such set."),
    ))]
pub(crate) async fn read(caller: Caller<READ_SOME>, session: Session, id: Id) -> Result<Response> {
    let set = session.read(|db| crate::find_stored(db, id)).await?;
    caller.actor.may_read(set.user_id)?;
    crate::record_read(&caller, &session, &set).await?;
    Ok(crate::show(&session, &set))
}
