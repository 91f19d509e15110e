//! `POST /bookmarks/{auth}`

use axum::response::Response;
use bespoke_core::entity::bookmark::{BookmarkContent, KINDS};
use bespoke_database::bookmarks;
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Body, Caller, Error, JsonObject, Outcome, Result, Session, truthy};
use serde_json::Value;
use utoipa::ToSchema;

use crate::BookmarkAnswer;

/// A new bookmark.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct NewBookmark {
    /// Title, at most 1024 bytes.
    #[schema(example = "Aaron, for Jane")]
    title: String,
    /// Where it leads: `http(s)`, or relative to the site. At most 4096 bytes.
    #[schema(example = "/designs/aaron")]
    url: String,
    /// What it leads to.
    #[schema(pattern = "^(set|cset|pattern|design|doc|custom)$", example = "design")]
    r#type: String,
}

/// Make a bookmark
// A level below 3 or an empty body ended the original's process: defect D19.
#[utoipa::path(post, path = "/bookmarks/{auth}", tag = "Bookmarks", operation_id = "createBookmark",
    request_body = NewBookmark,
    responses(
        (status = 201, description = "The bookmark.", body = BookmarkAnswer),
        (status = 400, description = "`postBodyMissing`, `titleMissing`, `urlMissing`, `typeMissing`: the field is missing. \
            `titleTooLong`, `urlInvalid`, `typeInvalid`: it is not what it has to be."),
    ))]
pub(crate) async fn create(caller: Caller<WRITE_SOME>, session: Session, body: Body) -> Result<Response> {
    let content = check(&body.required()?)?;
    let uuid = session.random().uuid();
    let make = caller.create(&session, move |db, actor| {
        Ok(bookmarks::insert(db, uuid, actor.user_id, &content)?)
    });
    let id = make.await?.value;
    crate::answer(&session, Outcome::Created, id, None).await
}

fn check(body: &JsonObject) -> Result<BookmarkContent> {
    let text = |field: &str, missing| {
        let text = body.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or(Error::bad_request(missing))
    };
    let title = text("title", "titleMissing")?;
    let url = text("url", "urlMissing")?;
    let kind = body.get("type").filter(|kind| truthy(kind));
    let kind = kind.ok_or(Error::bad_request("typeMissing"))?;
    let kind = kind.as_str().filter(|kind| KINDS.contains(kind));
    let kind = kind.ok_or(Error::bad_request("typeInvalid"))?.to_owned();
    if !crate::is_title(&title) {
        return Err(Error::bad_request("titleTooLong"));
    }
    if !crate::is_url(&url) {
        return Err(Error::bad_request("urlInvalid"));
    }
    Ok(BookmarkContent { kind, title, url })
}
