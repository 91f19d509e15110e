//! `PATCH /bookmarks/{id}/{auth}`: [`update`] changes a bookmark.

use axum::response::Response;
use bespoke_database::bookmarks;
use bespoke_web::content::bookmark::{is_title, is_url};
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Body, Caller, Id, JsonObject, Outcome, Result, Session};
use serde_json::Value;
use utoipa::ToSchema;

use crate::BookmarkResponse;

/// Changes of a bookmark. Missing fields do not change. The type cannot be changed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct BookmarkChanges {
    /// Title.
    title: Option<String>,
    /// Target: an `http(s)` URL, or a path relative to the site.
    url: Option<String>,
}

/// Change a bookmark
///
/// Only the caller's own bookmarks, regardless of the level. Invalid fields do not fail the request; `ignored` lists them.
#[utoipa::path(patch, path = "/bookmarks/{id}/{auth}", tag = "Bookmarks", operation_id = "updateBookmark",
    request_body = BookmarkChanges,
    responses(
        (status = 200, description = "The updated bookmark.", body = BookmarkResponse),
        (status = 404, description = "There is no such bookmark."),
    ))]
pub(crate) async fn update(caller: Caller<WRITE_SOME>, session: Session, id: Id, body: Body) -> Result<Response> {
    let (title, url, ignored) = read(body.0);
    let change = caller.write(&session, move |db, actor| {
        let mut bookmark = crate::find(db, id)?;
        actor.must_own(bookmark.user_id)?;
        if let Some(title) = &title {
            bookmark.content.title.clone_from(title);
        }
        if let Some(url) = &url {
            bookmark.content.url.clone_from(url);
        }
        bookmarks::update(db, bookmark.id, bookmark.uuid, &bookmark.content)?;
        Ok(bookmark.id)
    });
    let bookmark_id = change.await?;
    crate::respond(&session, Outcome::Success, bookmark_id, Some(ignored)).await
}

/// Parses a request: the title, the target, and the names of the ignored fields.
fn read(body: JsonObject) -> (Option<String>, Option<String>, Vec<String>) {
    let (mut title, mut url, mut ignored) = (None, None, Vec::new());
    for (field, value) in body {
        match (field.as_str(), value) {
            ("title", Value::String(text)) if is_title(&text) => title = Some(text),
            ("url", Value::String(text)) if is_url(&text) => url = Some(text),
            ("test", _) => {}
            _ => ignored.push(field),
        }
    }
    (title, url, ignored)
}
