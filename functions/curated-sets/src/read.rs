//! Reads curated sets, alone or as lists, in responses and as bare JSON or YAML, and the measurements of one set. Unpublished sets are
//! public too, because the clients filter them, and the pages for curators read the same list.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::measurement::StoredMeasurements;
use bespoke_database::{Db, curated_sets};
use bespoke_web::content::lookup::{LookupQuery, LookupResponse, SetSummary};
use bespoke_web::{Error, Id, Outcome, Paging, Params, Public, Query, Result, Session, list, ok, yaml_list};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{CuratedSetResponse, view};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CuratedSetList {
    result: Outcome,
    #[schema(value_type = Vec<view::CuratedSet>)]
    curated_sets: Vec<view::CuratedSetView<StoredMeasurements>>,
}

async fn load(session: &Session, paging: &Paging) -> Result<Vec<view::CuratedSetView<StoredMeasurements>>> {
    let page = paging.page()?;
    let sets = session.read(|db| Ok(curated_sets::by_height(db, page)?)).await?;
    Ok(sets.into_iter().map(Into::into).collect())
}

/// List the curated sets
///
/// Ordered by height, including unpublished sets.
#[utoipa::path(get, path = "/curated-sets", tag = "Curated sets", operation_id = "listCuratedSets", params(Paging),
    responses(
        (status = 200, description = "The curated sets.", body = CuratedSetList),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
pub(crate) async fn list_all(_: Public, session: Session, paging: Query<Paging>) -> Result<Response> {
    list(&CuratedSetList {
        result: Outcome::Success,
        curated_sets: load(&session, &paging.0).await?,
    })
}

/// List the curated sets, as bare JSON
#[utoipa::path(get, path = "/curated-sets.json", tag = "Curated sets", operation_id = "listCuratedSetsAsJson",
    params(Paging),
    responses(
        (status = 200, description = "The curated sets.", body = Vec<view::CuratedSet>),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
pub(crate) async fn list_json(_: Public, session: Session, paging: Query<Paging>) -> Result<Response> {
    list(&load(&session, &paging.0).await?)
}

/// List the curated sets, as YAML
#[utoipa::path(get, path = "/curated-sets.yaml", tag = "Curated sets", operation_id = "listCuratedSetsAsYaml",
    params(Paging),
    responses(
        (status = 200, description = "The curated sets.", body = String, content_type = "text/yaml"),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
pub(crate) async fn list_yaml(_: Public, session: Session, paging: Query<Paging>) -> Result<Response> {
    // The measurements are stored as JSON text, so YAML needs them parsed.
    yaml_list(&json!(load(&session, &paging.0).await?))
}

/// Read a curated set
#[utoipa::path(get, path = "/curated-sets/{id}", tag = "Curated sets", operation_id = "readCuratedSet",
    responses(
        (status = 200, description = "The curated set.", body = CuratedSetResponse),
        (status = 404, description = "There is no such curated set."),
    ))]
pub(crate) async fn read(_: Public, session: Session, id: Id) -> Result<Response> {
    let set = session.read(|db| crate::find(db, id)).await?;
    Ok(ok(&CuratedSetResponse {
        result: Outcome::Success,
        curated_set: set.into(),
        ignored: None,
    }))
}

/// Look up the measurements of a curated set
#[utoipa::path(get, path = "/curated-sets/{id}/measurements", tag = "Measurements", operation_id = "lookUpCuratedSet",
    params(LookupQuery),
    responses(
        (status = 200, description = "The measurements, and problems with them.", body = LookupResponse),
        (status = 400, description = "`unitsUnknown`, `onlyUnknown`, `designUnknown`: unknown name. \
            `designMissing`: `only` needs a design, but the request names none."),
        (status = 404, description = "There is no such curated set."),
    ))]
pub(crate) async fn measurements(_: Public, session: Session, id: Id, query: Query<LookupQuery>) -> Result<Response> {
    let find = |db: &Db<'_>| {
        let set = crate::find(db, id)?;
        Ok((query.0.read(db)?, set))
    };
    let (lookup, set) = session.read(find).await?;
    let head = SetSummary {
        id: set.id,
        uuid: set.uuid,
        name: set.content.texts.names.en,
        updated_at: set.updated_at,
    };
    Ok(ok(&lookup.into_response(Some(head), set.content.measies)))
}

async fn document(session: &Session, params: &Params) -> Result<Option<view::Document>> {
    let Some(id) = EntityId::parse(params.get("id")) else {
        return Ok(None);
    };
    let set = session.read(|db| Ok(curated_sets::by_id(db, id)?)).await?;
    Ok(set.map(Into::into))
}

/// Read a curated set, as bare JSON
#[utoipa::path(get, path = "/curated-sets/{id}.json", tag = "Curated sets", operation_id = "readCuratedSetAsJson",
    responses(
        (status = 200, description = "The curated set.", body = view::CuratedSetDocument),
        (status = 404, description = "There is no such curated set."),
    ))]
pub(crate) async fn json(_: Public, session: Session, params: Params) -> Result<Response> {
    let document = document(&session, &params).await?.ok_or_else(Error::not_found)?;
    Ok(ok(&document))
}

/// Read a curated set, as YAML
#[utoipa::path(get, path = "/curated-sets/{id}.yaml", tag = "Curated sets", operation_id = "readCuratedSetAsYaml",
    responses(
        (status = 200, description = "The curated set.", body = String, content_type = "text/yaml"),
        (status = 404, description = "There is no such curated set.", body = String, content_type = "text/yaml"),
    ))]
pub(crate) async fn yaml(_: Public, session: Session, params: Params) -> Result<Response> {
    bespoke_web::yaml(document(&session, &params).await?.as_ref())
}
