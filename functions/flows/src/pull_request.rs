//! `POST /flows/pr/blog/{auth}` and `POST /flows/pr/showcase/{auth}`

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

use crate::fields::{given, text};

/// The longest page, in bytes.
const MAX_MARKDOWN_BYTES: usize = 512 * 1024;
/// The longest name of an account at GitHub, in bytes.
const MAX_GITHUB_NAME_BYTES: usize = 39;

/// A page that is proposed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct PageProposal {
    /// The page, in Markdown, of at most 512 KiB.
    markdown: String,
    /// Its name: small letters, digits, and `-` between them.
    #[schema(example = "a-day-out")]
    slug: String,
    /// The language of who wrote it.
    #[schema(example = "en")]
    language: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PageProposed {
    result: Outcome,
    /// Its branch, as GitHub describes it.
    #[schema(value_type = HashMap<String, Value>)]
    branch: Described,
    /// Its file and commit, as GitHub describes them.
    #[schema(value_type = HashMap<String, Value>)]
    file: Described,
    /// The pull request, as GitHub describes it.
    #[schema(value_type = HashMap<String, Value>)]
    pr: Described,
}

/// Propose a post of the blog
///
/// Opens a pull request at GitHub, all of it or nothing. Its author is the account at GitHub that the caller's `data` names
/// (`githubUsername` and `githubEmail`).
#[utoipa::path(post, path = "/flows/pr/blog/{auth}", tag = "Flows", operation_id = "proposeBlogPost", request_body = PageProposal,
    responses(
        (status = 201, description = "The pull request.", body = PageProposed),
        (status = 400, description = "`notEnabled`: there is no repository. `markdownMissing`, `markdownInvalid`, `slugMissing`, \
            `slugInvalid`, `languageMissing`, `languageInvalid`: the field is missing, or not what it has to be. \
            `createPullRequestFailed`: GitHub refused it, or did not answer."),
        (status = 404, description = "The account was removed while the call was under way."),
        (status = 409, description = "`slugTaken`: there is such a page, or a proposal for it."),
    ))]
pub(crate) async fn blog(caller: Caller<USER>, session: Session, body: Body) -> Result<Response> {
    propose(&caller, &session, &body.0, PageKind::Blog).await
}

/// Propose a post of the showcase
///
/// Opens a pull request at GitHub, all of it or nothing. Its author is the account at GitHub that the caller's `data` names
/// (`githubUsername` and `githubEmail`).
#[utoipa::path(post, path = "/flows/pr/showcase/{auth}", tag = "Flows", operation_id = "proposeShowcasePost", request_body = PageProposal,
    responses(
        (status = 201, description = "The pull request.", body = PageProposed),
        (status = 400, description = "`notEnabled`: there is no repository. `markdownMissing`, `markdownInvalid`, `slugMissing`, \
            `slugInvalid`, `languageMissing`, `languageInvalid`: the field is missing, or not what it has to be. \
            `createPullRequestFailed`: GitHub refused it, or did not answer."),
        (status = 404, description = "The account was removed while the call was under way."),
        (status = 409, description = "`slugTaken`: there is such a page, or a proposal for it."),
    ))]
pub(crate) async fn showcase(caller: Caller<USER>, session: Session, body: Body) -> Result<Response> {
    propose(&caller, &session, &body.0, PageKind::Showcase).await
}

// A name of `../../x` wrote anywhere, and what failed on the way was passed over: defects D28 and D102.
async fn propose(caller: &Caller<USER>, session: &Session, body: &JsonObject, kind: PageKind) -> Result<Response> {
    let github = crate::github(session)?;
    let sent = Sent::read(body)?;
    let id = EntityId::Integer(caller.actor.user_id);
    let user = session
        .read(|db| users::by_id(db, id)?.ok_or_else(Error::not_found))
        .await?;
    let page = NewPage {
        kind,
        slug: sent.slug,
        markdown: sent.markdown,
        language: sent.language,
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

/// What was sent of a page.
struct Sent {
    markdown: String,
    slug: String,
    language: Language,
}

impl Sent {
    fn read(body: &JsonObject) -> Result<Self> {
        given(body, "markdown", "markdownMissing")?;
        let slug = given(body, "slug", "slugMissing")?
            .as_str()
            .filter(|slug| is_slug(slug));
        let language = given(body, "language", "languageMissing")?.as_str();
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

/// Who the owner of an account says that he is at GitHub, where that can be somebody.
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
