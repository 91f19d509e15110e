//! `GET /suggested-packs/{auth}`: [`list`] returns the suggested option packs for curators. `DELETE /suggested-packs/{id}/{auth}`:
//! [`delete`] removes one.

use axum::response::Response;
use bespoke_core::entity::suggestion::SuggestionKind;
use bespoke_web::content::suggestions::{self, SuggestionList};
use bespoke_web::level::CURATOR;
use bespoke_web::{Caller, Id, JsonObject, Outcome, Paging, Query, Result, Session, ok};
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct RemovedPack {
    result: Outcome,
    /// Always empty. Clients of the first API generation expect this field.
    #[schema(value_type = HashMap<String, Value>)]
    data: JsonObject,
}

/// List the suggested option packs
#[utoipa::path(get, path = "/suggested-packs/{auth}", tag = "Option packs", operation_id = "listSuggestedPacks",
    params(Paging),
    responses(
        (status = 200, description = "The suggestions, oldest first.", body = SuggestionList),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
pub(crate) async fn list(_: Caller<CURATOR>, session: Session, paging: Query<Paging>) -> Result<Response> {
    suggestions::list(&session, SuggestionKind::Pack, &paging.0).await
}

/// Remove a suggested option pack
#[utoipa::path(delete, path = "/suggested-packs/{id}/{auth}", tag = "Option packs", operation_id = "deleteSuggestedPack",
    params(("id" = Uuid, Path, description = "UUID of the suggestion.")),
    responses(
        (status = 200, description = "The suggestion was removed.", body = RemovedPack),
        (status = 400, description = "`typeMismatch`: the suggestion is of another kind."),
        (status = 404, description = "There is no such suggestion."),
    ))]
pub(crate) async fn delete(caller: Caller<CURATOR>, session: Session, id: Id) -> Result<Response> {
    suggestions::remove(&caller, &session, id, SuggestionKind::Pack).await?;
    Ok(ok(&RemovedPack {
        result: Outcome::Success,
        data: JsonObject::new(),
    }))
}
