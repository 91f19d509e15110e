//! `POST /discussions`

use axum::response::Response;
use bespoke_services::github::Described;
use bespoke_web::{Body, Error, Outcome, Public, Result, Session, created};
use serde::Serialize;
use utoipa::ToSchema;

use crate::fields;

/// A discussion.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct Discussion {
    /// Title, of at most 256 bytes.
    #[schema(example = "What do you sew next?")]
    title: String,
    /// Text, in Markdown.
    body: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = DiscussionOpened)]
pub(crate) struct Opened {
    result: Outcome,
    /// GitHub's answer: its `data.createDiscussion.discussion` has the `url`.
    #[schema(value_type = HashMap<String, Value>)]
    discussion: Described,
}

/// Open a discussion at GitHub
///
/// Without an account, there or here. Nothing else than title and body is passed on.
#[utoipa::path(post, path = "/discussions", tag = "Flows", operation_id = "createDiscussion", request_body = Discussion,
    responses(
        (status = 201, description = "The discussion.", body = Opened),
        (status = 400, description = "`notEnabled`: there is no repository. `postBodyMissing`, `titleMissing`, `titleInvalid`, \
            `bodyMissing`, `bodyInvalid`: the field is missing, or not what it has to be. `createDiscussionFailed`: GitHub refused \
            it, or did not answer; in that case it may have been opened."),
    ))]
pub(crate) async fn create(_: Public, session: Session, body: Body) -> Result<Response> {
    let github = crate::github(&session)?;
    let (title, body) = fields::title_and_body(&body.required()?)?;
    let discussion = github.create_discussion(&title, &body).await;
    let discussion = discussion
        .map_err(|problem| Error::bad_request("createDiscussionFailed").because(format!("GitHub: {problem}")))?;
    Ok(created(&Opened {
        result: Outcome::Created,
        discussion,
    }))
}
