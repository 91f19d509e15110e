//! Measurement sets (contract-2023 section 3.3).

mod clone;
mod content;
mod create;
mod delete;
mod public;
mod read;
mod update;

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::set::MeasurementSet;
use bespoke_database::{Db, sets};
use bespoke_web::{Error, Id, Outcome, Result, Routes, Session, created, ok, view};
use serde::Serialize;

/// The routes of this function.
pub fn router() -> Routes {
    Routes::new("sets")
        .post("/sets/{auth}", create::create)
        .get("/sets/{auth}", read::list)
        .get("/sets/{id}/{auth}", read::read)
        .patch("/sets/{id}/{auth}", update::update)
        .delete("/sets/{id}/{auth}", delete::delete)
        .post("/sets/{id}/clone/{auth}", clone::clone)
        .get("/sets/{id}.json", public::json)
        .get("/sets/{id}.yaml", public::yaml)
}

#[derive(Serialize)]
struct SetAnswer {
    result: Outcome,
    set: view::Set,
    /// Names of the fields and measurements that were sent and not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<Vec<String>>,
}

/// The set of that id, or 404.
fn find(db: &Db<'_>, Id(id): Id) -> Result<MeasurementSet> {
    sets::by_id(db, id)?.ok_or_else(Error::not_found)
}

/// Answers with the set as it is now: 201 when it was made, 200 when it was changed.
async fn answer(session: &Session, outcome: Outcome, id: i64, ignored: Option<Vec<String>>) -> Result<Response> {
    let set = session.read(|db| find(db, Id(EntityId::Integer(id)))).await?.into();
    let answer = SetAnswer {
        result: outcome,
        set,
        ignored,
    };
    Ok(if outcome == Outcome::Created {
        created(&answer)
    } else {
        ok(&answer)
    })
}
