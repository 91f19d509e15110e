//! `POST /discussions`: [`create`] opens a discussion on GitHub.

use axum::response::Response;
use bespoke_services::github::Described;
use bespoke_web::{Body, Error, Outcome, Public, Result, Session, created};
use serde::Serialize;
use utoipa::ToSchema;

use crate::fields;

/// Body of `POST /discussions`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct Discussion {
    /// Title, at most 256 bytes.
    #[schema(example = "What do you sew next?")]
    title: String,
    /// Text, in Markdown.
    body: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = DiscussionOpened)]
pub(crate) struct Opened {
    result: Outcome,
    /// The response of GitHub. `data.createDiscussion.discussion` contains the `url`.
    #[schema(value_type = HashMap<String, Value>)]
    discussion: Described,
}

/// Open a discussion on GitHub
///
/// Needs no account, neither here nor on GitHub. Only title and body are passed on.
#[utoipa::path(post, path = "/discussions", tag = "Flows", operation_id = "createDiscussion", request_body = Discussion,
    responses(
        (status = 201, description = "The discussion.", body = Opened),
        (status = 400, description = "`notEnabled`: there is no repository. `postBodyMissing`, `titleMissing`, `titleInvalid`, \
            `bodyMissing`, `bodyInvalid`: the field is missing or invalid. `createDiscussionFailed`: GitHub rejected \
            it or did not respond. Without a response, the discussion may exist."),
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
