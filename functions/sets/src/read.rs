//! `GET /sets/{auth}` and `GET /sets/{id}/{auth}`

use axum::response::Response;
use bespoke_database::{Db, sets, stored_bytes};
use bespoke_web::level::READ_SOME;
use bespoke_web::{Caller, Id, Outcome, Paging, Query, Result, Session, view};
use serde::Serialize;
use utoipa::ToSchema;

use crate::SetAnswer;

#[derive(Serialize, ToSchema)]
pub(crate) struct SetList {
    result: Outcome,
    sets: Vec<view::Set>,
}

/// List one's measurements sets
#[utoipa::path(get, path = "/sets/{auth}", tag = "Sets", operation_id = "listSets",
    params(Paging),
    responses(
        (status = 200, description = "The sets of the caller, in the order in which they were made.", body = SetList),
        (status = 400, description = "`afterUnknown`: there is no such set to go on behind."),
        (status = 413, description = "`listTooLarge`: ask for parts, with `limit` and `after`."),
    ))]
pub(crate) async fn list(caller: Caller<READ_SOME>, session: Session, paging: Query<Paging>) -> Result<Response> {
    let (page, user_id, context) = (paging.0.page()?, caller.actor.user_id, session.clone());
    let bytes = |db: &Db<'_>, most| Ok(stored_bytes(db, "sets", user_id, page, most)?);
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
/// One's own, or anybody's at level 6. That a set is public makes no difference here.
#[utoipa::path(get, path = "/sets/{id}/{auth}", tag = "Sets", operation_id = "readSet",
    responses(
        (status = 200, description = "The set.", body = SetAnswer),
        (status = 404, description = "There is no such set."),
    ))]
pub(crate) async fn read(caller: Caller<READ_SOME>, session: Session, id: Id) -> Result<Response> {
    let set = session.read(|db| crate::find_stored(db, id)).await?;
    caller.actor.may_read(set.user_id)?;
    crate::record_read(&caller, &session, &set).await?;
    Ok(crate::show(&session, &set))
}
