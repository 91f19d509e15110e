//! The function `bookmarks`: bookmarks of the caller. [`router`] lists its routes. The handlers that list, read and delete bookmarks are
//! here.

mod create;
mod update;

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::bookmark::Bookmark;
use bespoke_database::{Db, bookmarks, stored_bytes};
use bespoke_web::level::{READ_SOME, WRITE_SOME};
use bespoke_web::{Caller, Error, Id, Outcome, Paging, Query, Result, Routes, Session, no_content, ok, route, view};
use serde::Serialize;
use utoipa::ToSchema;

/// The routes of the `bookmarks` function, one of the deployable groups of routes.
pub fn router() -> Routes {
    Routes::new("bookmarks")
        .with(route!(create::create).writes_first().repeatable())
        .with(route!(list))
        .with(route!(read))
        .with(route!(update::update).writes_first())
        .with(route!(delete).writes_first())
}

#[derive(Serialize, ToSchema)]
#[schema(as = BookmarkAnswer)]
struct BookmarkResponse {
    result: Outcome,
    bookmark: view::Bookmark,
    /// Names of the fields that the request contained and the server ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ignored: Option<Vec<String>>,
}

#[derive(Serialize, ToSchema)]
struct BookmarkList {
    result: Outcome,
    bookmarks: Vec<view::Bookmark>,
}

/// List the caller's bookmarks
#[utoipa::path(get, path = "/bookmarks/{auth}", tag = "Bookmarks", operation_id = "listBookmarks", params(Paging),
    responses(
        (status = 200, description = "The bookmarks of the caller, oldest first.", body = BookmarkList),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
async fn list(caller: Caller<READ_SOME>, session: Session, paging: Query<Paging>) -> Result<Response> {
    let (page, user_id) = (paging.0.page()?, caller.actor.user_id);
    let bytes = |db: &Db<'_>, max_bytes| Ok(stored_bytes(db, "bookmarks", user_id, page, max_bytes)?);
    let list = move |db: &Db<'_>| {
        let bookmarks = bookmarks::by_user(db, user_id, page)?;
        Ok(BookmarkList {
            result: Outcome::Success,
            bookmarks: bookmarks.into_iter().map(Into::into).collect(),
        })
    };
    bespoke_web::stored_list(&session, bytes, list).await
}

/// Read a bookmark
///
/// Only the caller's own bookmarks, regardless of the level.
#[utoipa::path(get, path = "/bookmarks/{id}/{auth}", tag = "Bookmarks", operation_id = "readBookmark",
    responses(
        (status = 200, description = "The bookmark.", body = BookmarkResponse),
        (status = 404, description = "There is no such bookmark."),
    ))]
async fn read(caller: Caller<READ_SOME>, session: Session, id: Id) -> Result<Response> {
    let bookmark = session.read(|db| find(db, id)).await?;
    caller.actor.must_own(bookmark.user_id)?;
    Ok(ok(&BookmarkResponse {
        result: Outcome::Success,
        bookmark: bookmark.into(),
        ignored: None,
    }))
}

/// Remove a bookmark
///
/// Only the caller's own bookmarks, regardless of the level.
#[utoipa::path(delete, path = "/bookmarks/{id}/{auth}", tag = "Bookmarks", operation_id = "deleteBookmark",
    responses(
        (status = 204, description = "The bookmark was removed."),
        (status = 404, description = "There is no such bookmark."),
    ))]
async fn delete(caller: Caller<WRITE_SOME>, session: Session, id: Id) -> Result<Response> {
    let remove = caller.write(&session, move |db, actor| {
        let bookmark = find(db, id)?;
        actor.must_own(bookmark.user_id)?;
        Ok(bookmarks::delete(db, bookmark.id)?)
    });
    remove.await?;
    Ok(no_content())
}

/// Returns the bookmark with this id.
///
/// # Errors
/// 404 if there is no such bookmark.
fn find(db: &Db<'_>, Id(id): Id) -> Result<Bookmark> {
    bookmarks::by_id(db, id)?.ok_or_else(Error::not_found)
}

/// Responds with the current bookmark.
async fn respond(session: &Session, outcome: Outcome, id: i64, ignored: Option<Vec<String>>) -> Result<Response> {
    let bookmark = session.read(|db| find(db, Id(EntityId::Integer(id)))).await?.into();
    let response = BookmarkResponse {
        result: outcome,
        bookmark,
        ignored,
    };
    Ok(outcome.into_response(&response))
}
