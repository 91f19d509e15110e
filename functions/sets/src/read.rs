//! `GET /sets/{auth}` and `GET /sets/{id}/{auth}`

use axum::response::Response;
use bespoke_database::sets;
use bespoke_web::level::READ_SOME;
use bespoke_web::{Caller, Id, Outcome, Result, Session, ok, view};
use serde::Serialize;

use crate::SetAnswer;

#[derive(Serialize)]
struct SetList {
    result: Outcome,
    sets: Vec<view::Set>,
}

/// Lists the caller's sets, in the order in which they were made.
pub(crate) async fn list(caller: Caller<READ_SOME>, session: Session) -> Result<Response> {
    let sets = session.read(|db| Ok(sets::by_user(db, caller.actor.user_id)?)).await?;
    Ok(ok(&SetList {
        result: Outcome::Success,
        sets: sets.into_iter().map(Into::into).collect(),
    }))
}

/// Reads a set of the caller, or of anybody at level 6.
pub(crate) async fn read(caller: Caller<READ_SOME>, session: Session, id: Id) -> Result<Response> {
    let set = session.read(|db| crate::find(db, id)).await?;
    caller.actor.may_read(set.user_id)?;
    Ok(ok(&SetAnswer {
        result: Outcome::Success,
        set: set.into(),
        ignored: None,
    }))
}
