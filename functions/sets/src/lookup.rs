//! `GET /sets/{id}/measurements` ([`public`]), `GET /sets/{id}/measurements/{auth}` ([`measurements`]) and `GET /sets/lookup/{auth}`
//! ([`by_name`]): the measurements of a set in the form that programs need to draft a pattern.

use std::sync::Arc;

use axum::response::Response;
use bespoke_core::{EntityId, Timestamp};
use bespoke_database::Db;
use bespoke_database::sets::{self, CachedSet};
use bespoke_web::content::lookup::{Lookup, LookupQuery, LookupResponse, SetSummary};
use bespoke_web::level::READ_SOME;
use bespoke_web::openapi::Failure;
use bespoke_web::{Caller, Error, Id, Public, Query, Result, Session, json, ok};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Maximum number of candidates in the response to an ambiguous name.
const MAX_CANDIDATES: usize = 100;

/// Look up the measurements of a set
///
/// Level 6 can look up the sets of all accounts. The scope `set:<uuid>:read` allows only this call, and only for this set.
#[utoipa::path(get, path = "/sets/{id}/measurements/{auth}", tag = "Measurements", operation_id = "lookUpSet",
    params(LookupQuery),
    responses(
        (status = 200, description = "The measurements, and problems with them.", body = LookupResponse),
        (status = 400, description = "`unitsUnknown`, `onlyUnknown`, `designUnknown`: unknown name. \
            `designMissing`: `only` needs a design, but the request names none."),
        (status = 404, description = "There is no such set."),
    ))]
pub(crate) async fn measurements(
    caller: Caller<READ_SOME>,
    session: Session,
    id: Id,
    query: Query<LookupQuery>,
) -> Result<Response> {
    let find = |db: &Db<'_>| {
        let set = crate::find_stored(db, id)?;
        caller.actor.may_read(set.user_id)?;
        Ok((query.0.read(db)?, set))
    };
    let (lookup, set) = session.read(find).await?;
    crate::record_read(&caller, &session, &set).await?;
    respond(lookup, &set)
}

/// Look up the measurements of a public set
#[utoipa::path(get, path = "/sets/{id}/measurements", tag = "Measurements", operation_id = "lookUpPublicSet",
    params(LookupQuery),
    responses(
        (status = 200, description = "The measurements, and problems with them.", body = LookupResponse),
        (status = 400, description = "`unitsUnknown`, `onlyUnknown`, `designUnknown`: unknown name. \
            `designMissing`: `only` needs a design, but the request names none."),
        (status = 404, description = "There is no such set, or it is private."),
    ))]
pub(crate) async fn public(_: Public, session: Session, id: Id, query: Query<LookupQuery>) -> Result<Response> {
    let find = |db: &Db<'_>| {
        let set = crate::find_stored(db, id)?;
        if set.content.public {
            Ok((query.0.read(db)?, set))
        } else {
            Err(Error::not_found())
        }
    };
    let (lookup, set) = session.read(find).await?;
    respond(lookup, &set)
}

/// The name of a set.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Name {
    /// Name of the set. If no name matches exactly, letter case is ignored.
    #[param(required)]
    name: Option<String>,
}

/// The sets that an ambiguous name may mean.
#[derive(Serialize, ToSchema)]
#[schema(as = AmbiguousName)]
pub(crate) struct Ambiguous {
    #[schema(value_type = Failure)]
    result: &'static str,
    /// `nameAmbiguous`
    error: &'static str,
    /// Sets with this name, at most 100.
    candidates: Vec<Candidate>,
}

/// A set that an ambiguous name may mean.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Candidate {
    id: i64,
    uuid: Uuid,
    name: String,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// Look up the measurements of one of the caller's sets by name
///
/// A key with scopes needs `sets:read`.
#[utoipa::path(get, path = "/sets/lookup/{auth}", tag = "Measurements", operation_id = "lookUpSetByName",
    params(Name, LookupQuery),
    responses(
        (status = 200, description = "The measurements, and problems with them.", body = LookupResponse),
        (status = 400, description = "`nameMissing`: the request has no name. \
            `unitsUnknown`, `onlyUnknown`, `designUnknown`: unknown name. \
            `designMissing`: `only` needs a design, but the request names none."),
        (status = 404, description = "There is no such set."),
        (status = 409, description = "More than one set has that name.", body = Ambiguous),
    ))]
pub(crate) async fn by_name(
    caller: Caller<READ_SOME>,
    session: Session,
    name: Query<Name>,
    query: Query<LookupQuery>,
) -> Result<Response> {
    let name = name.0.name.unwrap_or_default();
    if name.is_empty() {
        return Err(Error::bad_request("nameMissing"));
    }
    let find = |db: &Db<'_>| {
        let lookup = query.0.read(db)?;
        let mut found = sets::by_name(db, caller.actor.user_id, &name)?;
        found.truncate(MAX_CANDIDATES);
        let by_id = |id: &i64| sets::stored_by_id(db, EntityId::Integer(*id)).transpose();
        let found: std::result::Result<Vec<_>, _> = found.iter().filter_map(by_id).collect();
        Ok((lookup, found?))
    };
    let (lookup, found) = session.read(find).await?;
    match &found[..] {
        [] => Err(Error::not_found()),
        [set] => respond(lookup, set),
        all => Ok(ambiguous(all)),
    }
}

fn ambiguous(found: &[Arc<CachedSet>]) -> Response {
    let candidate = |set: &Arc<CachedSet>| Candidate {
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

fn respond(lookup: Lookup, set: &CachedSet) -> Result<Response> {
    let measies = serde_json::from_str(set.content.measies.get()).map_err(Error::internal)?;
    let head = SetSummary {
        id: set.id,
        uuid: set.uuid,
        name: set.content.name.clone(),
        updated_at: set.updated_at,
    };
    Ok(ok(&lookup.into_response(Some(head), measies)))
}
