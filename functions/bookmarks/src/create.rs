//! `POST /bookmarks/{auth}`: [`create`] stores a bookmark.

use axum::response::Response;
use bespoke_database::bookmarks;
use bespoke_web::content::bookmark::{self, NewBookmark};
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Body, Caller, Outcome, Result, Session};

use crate::BookmarkResponse;

/// Create a bookmark
#[utoipa::path(post, path = "/bookmarks/{auth}", tag = "Bookmarks", operation_id = "createBookmark",
    request_body = NewBookmark,
    responses(
        (status = 201, description = "The bookmark.", body = BookmarkResponse),
        (status = 400, description = "`postBodyMissing`, `titleMissing`, `urlMissing`, `typeMissing`: the field is missing. \
            `titleTooLong`, `urlInvalid`, `typeInvalid`: the field is invalid."),
    ))]
pub(crate) async fn create(caller: Caller<WRITE_SOME>, session: Session, body: Body) -> Result<Response> {
    let content = bookmark::create(&body.required()?)?;
    let uuid = session.random().uuid();
    let make = caller.create(&session, move |db, actor| {
        Ok(bookmarks::insert(db, uuid, actor.user_id, &content)?)
    });
    let id = make.await?.value;
    crate::respond(&session, Outcome::Created, id, None).await
}
