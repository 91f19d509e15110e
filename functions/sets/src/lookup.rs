//! `GET /sets/{id}/measurements/{auth}`, the same for everybody, and `GET /sets/lookup/{auth}`: what a program needs to draft from
//! a set.

use std::sync::Arc;

use axum::response::Response;
use bespoke_core::{EntityId, Timestamp};
use bespoke_database::Db;
use bespoke_database::sets::{self, StoredSet};
use bespoke_web::content::lookup::{Lookup, LookupQuery, LookupResponse, SetSummary};
use bespoke_web::level::READ_SOME;
use bespoke_web::openapi::Failure;
use bespoke_web::{Caller, Error, Id, Public, Query, Result, Session, json, ok};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Most sets that an answer names as those that may be meant.
const MAX_CANDIDATES: usize = 100;

/// Look up the measurements of a set
///
/// One's own, or anybody's at level 6. A key with the scope `set:<uuid>:read` can do this for that set and nothing else.
#[utoipa::path(get, path = "/sets/{id}/measurements/{auth}", tag = "Measurements", operation_id = "lookUpSet",
    params(LookupQuery),
    responses(
        (status = 200, description = "The measurements, and what there is to say about them.", body = LookupResponse),
        (status = 400, description = "`unitsUnknown`, `onlyUnknown`, `designUnknown`: there is none of that name. \
            `designMissing`: `only` asks for the measurements of a design, and there is none."),
        (status = 404, description = "There is no such set."),
    ))]
pub(crate) async fn measurements(
    caller: Caller<READ_SOME>,
    session: Session,
    id: Id,
    asked: Query<LookupQuery>,
) -> Result<Response> {
    let find = |db: &Db<'_>| {
        let set = crate::find_stored(db, id)?;
        caller.actor.may_read(set.user_id)?;
        Ok((asked.0.read(db)?, set))
    };
    let (lookup, set) = session.read(find).await?;
    crate::record_read(&caller, &session, &set).await?;
    answer(lookup, &set)
}

/// Look up the measurements of a public set
#[utoipa::path(get, path = "/sets/{id}/measurements", tag = "Measurements", operation_id = "lookUpPublicSet",
    params(LookupQuery),
    responses(
        (status = 200, description = "The measurements, and what there is to say about them.", body = LookupResponse),
        (status = 400, description = "`unitsUnknown`, `onlyUnknown`, `designUnknown`: there is none of that name. \
            `designMissing`: `only` asks for the measurements of a design, and there is none."),
        (status = 404, description = "There is no such set, or it is private."),
    ))]
pub(crate) async fn public(_: Public, session: Session, id: Id, asked: Query<LookupQuery>) -> Result<Response> {
    let find = |db: &Db<'_>| {
        let set = crate::find_stored(db, id)?;
        if set.content.public {
            Ok((asked.0.read(db)?, set))
        } else {
            Err(Error::not_found())
        }
    };
    let (lookup, set) = session.read(find).await?;
    answer(lookup, &set)
}

/// Which set is meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Name {
    /// Name of the set, as it is written; where there is none, in any letter case.
    #[param(required)]
    name: Option<String>,
}

/// Sets that may be meant.
#[derive(Serialize, ToSchema)]
#[schema(as = AmbiguousName)]
pub(crate) struct Ambiguous {
    #[schema(value_type = Failure)]
    result: &'static str,
    /// `nameAmbiguous`
    error: &'static str,
    /// Some of the sets of that name, a hundred at most.
    candidates: Vec<Candidate>,
}

/// A set that may be meant.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Candidate {
    id: i64,
    uuid: Uuid,
    name: String,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// Look up the measurements of a set of one's own by its name
///
/// A key with scopes needs `sets:read`.
#[utoipa::path(get, path = "/sets/lookup/{auth}", tag = "Measurements", operation_id = "lookUpSetByName",
    params(Name, LookupQuery),
    responses(
        (status = 200, description = "The measurements, and what there is to say about them.", body = LookupResponse),
        (status = 400, description = "`nameMissing`: no name is given. \
            `unitsUnknown`, `onlyUnknown`, `designUnknown`: there is none of that name. \
            `designMissing`: `only` asks for the measurements of a design, and there is none."),
        (status = 404, description = "There is no such set."),
        (status = 409, description = "More than one set has that name.", body = Ambiguous),
    ))]
pub(crate) async fn by_name(
    caller: Caller<READ_SOME>,
    session: Session,
    name: Query<Name>,
    asked: Query<LookupQuery>,
) -> Result<Response> {
    let name = name.0.name.unwrap_or_default();
    if name.is_empty() {
        return Err(Error::bad_request("nameMissing"));
    }
    let find = |db: &Db<'_>| {
        let lookup = asked.0.read(db)?;
        let mut found = sets::by_name(db, caller.actor.user_id, &name)?;
        found.truncate(MAX_CANDIDATES);
        let by_id = |id: &i64| sets::stored_by_id(db, EntityId::Integer(*id)).transpose();
        let found: std::result::Result<Vec<_>, _> = found.iter().filter_map(by_id).collect();
        Ok((lookup, found?))
    };
    let (lookup, found) = session.read(find).await?;
    match &found[..] {
        [] => Err(Error::not_found()),
        [set] => answer(lookup, set),
        all => Ok(ambiguous(all)),
    }
}

fn ambiguous(found: &[Arc<StoredSet>]) -> Response {
    let candidate = |set: &Arc<StoredSet>| Candidate {
        id: set.id,
        uuid: set.uuid,
        name: set.content.name.clone(),
        updated_at: set.updated_at,
    };
    let body = Ambiguous {
        result: "error",
        error: "nameAmbiguous",
        candidates: found.iter().map(candidate).collect(),
    };
    json(StatusCode::CONFLICT, &body)
}

fn answer(lookup: Lookup, set: &StoredSet) -> Result<Response> {
    let measies = serde_json::from_str(set.content.measies.get()).map_err(Error::internal)?;
    let head = SetSummary {
        id: set.id,
        uuid: set.uuid,
        name: set.content.name.clone(),
        updated_at: set.updated_at,
    };
    Ok(ok(&lookup.answer(Some(head), measies)))
}
