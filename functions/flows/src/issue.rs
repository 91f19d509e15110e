//! `POST /issues`: [`create`] opens an issue on GitHub.

use axum::response::Response;
use bespoke_services::github::{Described, NewIssue};
use bespoke_web::{Body, Error, JsonObject, Outcome, Public, Result, Session, created};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::fields;

/// Body of `POST /issues`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct Issue {
    /// Title, at most 256 bytes.
    #[schema(example = "The waistband of Charlie is too wide")]
    title: String,
    /// Text, in Markdown.
    body: String,
    /// Labels. Labels that the operator does not allow are ignored.
    labels: Option<Vec<String>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = IssueOpened)]
pub(crate) struct Opened {
    result: Outcome,
    /// The issue, as GitHub describes it.
    #[schema(value_type = HashMap<String, Value>)]
    issue: Described,
}

/// Open an issue on GitHub
///
/// Needs no account, neither here nor on GitHub. Only title, body and labels are passed on.
#[utoipa::path(post, path = "/issues", tag = "Flows", operation_id = "createIssue", request_body = Issue,
    responses(
        (status = 201, description = "The issue.", body = Opened),
        (status = 400, description = "`notEnabled`: there is no repository. `postBodyMissing`, `titleMissing`, `titleInvalid`, \
            `bodyMissing`, `bodyInvalid`: the field is missing or invalid. `createIssueFailed`: GitHub rejected it \
            or did not respond. Without a response, the issue may exist."),
    ))]
pub(crate) async fn create(_: Public, session: Session, body: Body) -> Result<Response> {
    let github = crate::github(&session)?;
    let request = body.required()?;
    let (title, body) = fields::title_and_body(&request)?;
    let labels = allowed_labels(&request, github.labels());
    let issue = github.create_issue(&NewIssue { title, body, labels }).await;
    let issue =
        issue.map_err(|problem| Error::bad_request("createIssueFailed").because(format!("GitHub: {problem}")))?;
    Ok(created(&Opened {
        result: Outcome::Created,
        issue,
    }))
}

/// Returns the requested labels that the operator allows.
fn allowed_labels(body: &JsonObject, labels: &[String]) -> Vec<String> {
    let requested = body
        .get("labels")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let is_requested = |label: &&String| {
        let mut requested = requested.iter().filter_map(Value::as_str);
        requested.any(|requested| requested.eq_ignore_ascii_case(label))
    };
    labels.iter().filter(is_requested).cloned().collect()
}
