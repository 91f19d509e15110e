//! `POST /flows/pr/blog/{auth}` ([`blog`]) and `POST /flows/pr/showcase/{auth}` ([`showcase`]): propose a page of the website as a pull
//! request on GitHub.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::validate::{Language, is_email, is_slug};
use bespoke_database::users;
use bespoke_services::github::{Author, Described, NewPage, PageKind, ProposalError};
use bespoke_web::level::USER;
use bespoke_web::{Body, Caller, Error, JsonObject, Outcome, Result, Session, created};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::fields::{required, text};

/// Limit for a page, in bytes.
const MAX_MARKDOWN_BYTES: usize = 512 * 1024;
/// Limit for the name of a GitHub account, in bytes.
const MAX_GITHUB_NAME_BYTES: usize = 39;

/// Body of a proposal for a page.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct PageProposal {
    /// The page, in Markdown, at most 512 KiB.
    markdown: String,
    /// Name of the page: lower-case letters and digits, with single `-` between them.
    #[schema(example = "a-day-out")]
    slug: String,
    /// Language of the page's author.
    #[schema(example = "en")]
    language: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PageProposed {
    result: Outcome,
    /// The branch, as GitHub describes it.
    #[schema(value_type = HashMap<String, Value>)]
    branch: Described,
    /// The file and the commit, as GitHub describes them.
    #[schema(value_type = HashMap<String, Value>)]
    file: Described,
    /// The pull request, as GitHub describes it.
    #[schema(value_type = HashMap<String, Value>)]
    pr: Described,
}

/// Propose a blog post
///
/// Opens a pull request on GitHub. If a step fails, nothing remains. The author is the GitHub account in the caller's `data`
/// (`githubUsername` and `githubEmail`).
#[utoipa::path(post, path = "/flows/pr/blog/{auth}", tag = "Flows", operation_id = "proposeBlogPost", request_body = PageProposal,
    responses(
        (status = 201, description = "The pull request.", body = PageProposed),
        (status = 400, description = "`notEnabled`: there is no repository. `markdownMissing`, `markdownInvalid`, `slugMissing`, \
            `slugInvalid`, `languageMissing`, `languageInvalid`: the field is missing or invalid. \
            `createPullRequestFailed`: GitHub rejected it or did not respond."),
        (status = 404, description = "The account was removed during the call."),
        (status = 409, description = "`slugTaken`: a page or a proposal with this name exists."),
    ))]
pub(crate) async fn blog(caller: Caller<USER>, session: Session, body: Body) -> Result<Response> {
    propose(&caller, &session, &body.0, PageKind::Blog).await
}

/// Propose a showcase post
///
/// Opens a pull request on GitHub. If a step fails, nothing remains. The author is the GitHub account in the caller's `data`
/// (`githubUsername` and `githubEmail`).
#[utoipa::path(post, path = "/flows/pr/showcase/{auth}", tag = "Flows", operation_id = "proposeShowcasePost", request_body = PageProposal,
    responses(
        (status = 201, description = "The pull request.", body = PageProposed),
        (status = 400, description = "`notEnabled`: there is no repository. `markdownMissing`, `markdownInvalid`, `slugMissing`, \
            `slugInvalid`, `languageMissing`, `languageInvalid`: the field is missing or invalid. \
            `createPullRequestFailed`: GitHub rejected it or did not respond."),
        (status = 404, description = "The account was removed during the call."),
        (status = 409, description = "`slugTaken`: a page or a proposal with this name exists."),
    ))]
pub(crate) async fn showcase(caller: Caller<USER>, session: Session, body: Body) -> Result<Response> {
    propose(&caller, &session, &body.0, PageKind::Showcase).await
}

// The name is validated before it becomes a path in the repository, and the first failed step ends the proposal.
async fn propose(caller: &Caller<USER>, session: &Session, body: &JsonObject, kind: PageKind) -> Result<Response> {
    let github = crate::github(session)?;
    let request = ValidatedProposal::read(body)?;
    let id = EntityId::Integer(caller.actor.user_id);
    let user = session
        .read(|db| users::by_id(db, id)?.ok_or_else(Error::not_found))
        .await?;
    let page = NewPage {
        kind,
        slug: request.slug,
        markdown: request.markdown,
        language: request.language,
        author: author(&user.data),
        username: user.username,
    };
    let proposal = github.propose(&page).await.map_err(refusal)?;
    Ok(created(&PageProposed {
        result: Outcome::Created,
        branch: proposal.branch,
        file: proposal.file,
        pr: proposal.pull_request,
    }))
}

/// A validated proposal.
struct ValidatedProposal {
    markdown: String,
    slug: String,
    language: Language,
}

impl ValidatedProposal {
    fn read(body: &JsonObject) -> Result<Self> {
        required(body, "markdown", "markdownMissing")?;
        let slug = required(body, "slug", "slugMissing")?
            .as_str()
            .filter(|slug| is_slug(slug));
        let language = required(body, "language", "languageMissing")?.as_str();
        let markdown = text(
            body,
            "markdown",
            MAX_MARKDOWN_BYTES,
            ("markdownMissing", "markdownInvalid"),
        )?;
        Ok(Self {
            markdown,
            slug: slug.ok_or(Error::bad_request("slugInvalid"))?.to_owned(),
            language: language
                .and_then(|code| code.parse().ok())
                .ok_or(Error::bad_request("languageInvalid"))?,
        })
    }
}

/// The GitHub account in the data of an account, if its name and address are valid.
fn author(data: &JsonObject) -> Option<Author> {
    let string = |name: &str| data.get(name).and_then(Value::as_str);
    let is_name = |name: &&str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=MAX_GITHUB_NAME_BYTES).contains(&name.len()) && name.bytes().all(plain)
    };
    let name = string("githubUsername").filter(is_name)?;
    let email = string("githubEmail").filter(|email| is_email(email))?;
    Some(Author {
        name: name.to_owned(),
        email: email.to_owned(),
    })
}

fn refusal(error: ProposalError) -> Error {
    match error {
        ProposalError::Taken => Error::conflict("slugTaken"),
        ProposalError::Unavailable(problem) => crate::unavailable(problem),
        error => Error::bad_request("createPullRequestFailed").because(format!("GitHub: {error}")),
    }
}
