//! `POST /issues`

use axum::response::Response;
use bespoke_services::github::{Described, NewIssue};
use bespoke_web::{Body, Error, JsonObject, Outcome, Public, Result, Session, created};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::fields;

/// An issue.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct Issue {
    /// Title, of at most 256 bytes.
    #[schema(example = "The waistband of Charlie is too wide")]
    title: String,
    /// Text, in Markdown.
    body: String,
    /// Labels; of those that are not allowed here none is taken.
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

/// Open an issue at GitHub
///
/// Without an account, there or here. Nothing else than title, body and labels is passed on.
// Strangers could assign people, close milestones, and set any label by the name of the project: defect D101.
#[utoipa::path(post, path = "/issues", tag = "Flows", operation_id = "createIssue", request_body = Issue,
    responses(
        (status = 201, description = "The issue.", body = Opened),
        (status = 400, description = "`notEnabled`: there is no repository. `postBodyMissing`, `titleMissing`, `titleInvalid`, \
            `bodyMissing`, `bodyInvalid`: the field is missing, or not what it has to be. `createIssueFailed`: GitHub refused it, \
            or did not answer; in that case it may have been opened."),
    ))]
pub(crate) async fn create(_: Public, session: Session, body: Body) -> Result<Response> {
    let github = crate::github(&session)?;
    let sent = body.required()?;
    let (title, body) = fields::title_and_body(&sent)?;
    let labels = allowed(&sent, github.labels());
    let issue = github.create_issue(&NewIssue { title, body, labels }).await;
    let issue =
        issue.map_err(|problem| Error::bad_request("createIssueFailed").because(format!("GitHub: {problem}")))?;
    Ok(created(&Opened {
        result: Outcome::Created,
        issue,
    }))
}

/// The labels that were asked for and may be given.
fn allowed(body: &JsonObject, labels: &[String]) -> Vec<String> {
    let asked = body
        .get("labels")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let wanted = |label: &&String| {
        let mut asked = asked.iter().filter_map(Value::as_str);
        asked.any(|asked| asked.eq_ignore_ascii_case(label))
    };
    labels.iter().filter(wanted).cloned().collect()
}
