//! `GET /suggested-sets/{auth}`: [`list`] returns the suggested sets for curators. `DELETE /suggested-sets/{id}/{auth}`: [`delete`]
//! removes one.

use axum::response::Response;
use bespoke_core::entity::suggestion::SuggestionKind;
use bespoke_web::content::suggestions::{self, SuggestionList};
use bespoke_web::level::CURATOR;
use bespoke_web::{Caller, Id, Paging, Query, Result, Session, no_content};

/// List the suggested sets
#[utoipa::path(get, path = "/suggested-sets/{auth}", tag = "Curated sets", operation_id = "listSuggestedSets",
    params(Paging),
    responses(
        (status = 200, description = "The suggestions, oldest first.", body = SuggestionList),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
pub(crate) async fn list(_: Caller<CURATOR>, session: Session, paging: Query<Paging>) -> Result<Response> {
    suggestions::list(&session, SuggestionKind::Set, &paging.0).await
}

/// Remove a suggested set
#[utoipa::path(delete, path = "/suggested-sets/{id}/{auth}", tag = "Curated sets", operation_id = "deleteSuggestedSet",
    params(("id" = Uuid, Path, description = "UUID of the suggestion.")),
    responses(
        (status = 204, description = "The suggestion was removed."),
        (status = 400, description = "`typeMismatch`: the suggestion is of another kind."),
        (status = 404, description = "There is no such suggestion."),
    ))]
pub(crate) async fn delete(caller: Caller<CURATOR>, session: Session, id: Id) -> Result<Response> {
    suggestions::remove(&caller, &session, id, SuggestionKind::Set).await?;
    Ok(no_content())
}
