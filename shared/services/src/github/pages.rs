//! [`WebsitePages`]: lists the pages of the website, and proposes new ones as pull requests.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bespoke_core::Timestamp;
use bespoke_core::validate::Language;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::api::{Api, TOO_LATE};
use super::records::{Described, NewPage, PageKind, Proposal, ProposalError};
use crate::http::{CallError, send};

/// How long the list of pages is cached, in milliseconds.
const LIST_LIFETIME_MS: i64 = 30 * 60 * 1000;
/// The maximum number of entries of a folder that GitHub lists.
const MAX_LISTED: usize = 1_000;
/// Deadline for filling the branch of a proposal, in milliseconds. It leaves time to remove the branch while the
/// client still waits.
const FILL_DEADLINE_MS: u64 = 8_000;
/// Deadline for removing the branch, in milliseconds.
const UNDO_DEADLINE_MS: u64 = 4_000;
/// The folder of the pages.
const FOLDER: &str = "markdown/org";

/// Pages of the website, with the cached names of those that exist, by kind.
#[derive(Default)]
pub(super) struct WebsitePages(Mutex<HashMap<PageKind, List>>);

/// The names of all pages of a kind.
struct List {
    names: Arc<HashSet<String>>,
    /// When the list expires.
    expires_at: Timestamp,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
}

#[derive(Deserialize)]
struct Branch {
    commit: Commit,
}

#[derive(Deserialize)]
struct Commit {
    sha: String,
}

impl WebsitePages {
    /// Returns whether a page of that name exists.
    ///
    /// # Errors
    /// [`CallError`]
    pub(super) async fn exists(
        &self,
        api: &Api,
        kind: PageKind,
        slug: &str,
        now: Timestamp,
    ) -> Result<bool, CallError> {
        let names = self.names(api, kind, now).await?;
        let is_listed = names.contains(slug);
        // A list of the maximum length may be incomplete.
        if is_listed || names.len() < MAX_LISTED {
            return Ok(is_listed);
        }
        let response = api.query(&format!("/contents/{FOLDER}/{}/{slug}", kind.name())).await?;
        if response.status == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        response.success().map(|_| true)
    }

    /// Returns whether the branch of an open proposal for that page exists.
    ///
    /// # Errors
    /// [`CallError`]
    pub(super) async fn is_proposed(&self, api: &Api, kind: PageKind, slug: &str) -> Result<bool, CallError> {
        let response = api.query(&format!("/branches/{}", branch_of(kind, slug))).await?;
        if response.status == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        response.success().map(|_| true)
    }

    /// Returns the names of all pages of a kind. Failures are not cached.
    async fn names(&self, api: &Api, kind: PageKind, now: Timestamp) -> Result<Arc<HashSet<String>>, CallError> {
        let cached = {
            let lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            lists
                .get(&kind)
                .filter(|list| now < list.expires_at)
                .map(|list| Arc::clone(&list.names))
        };
        if let Some(names) = cached {
            return Ok(names);
        }
        let response = api.query(&format!("/contents/{FOLDER}/{}", kind.name())).await?;
        let entries: Vec<Entry> = response.success()?.json()?;
        let names: Arc<HashSet<_>> = Arc::new(entries.into_iter().map(|entry| entry.name).collect());
        let list = List {
            names: Arc::clone(&names),
            expires_at: now.plus_ms(LIST_LIFETIME_MS),
        };
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.insert(kind, list);
        Ok(names)
    }

    /// Proposes a page: a new branch, a file in it, and a pull request.
    ///
    /// # Errors
    /// [`ProposalError`]
    pub(super) async fn propose(&self, api: &Api, page: &NewPage) -> Result<Proposal, ProposalError> {
        let name = branch_of(page.kind, &page.slug);
        let sha = head(api).await.map_err(ProposalError::Unavailable)?;
        let body = json!({ "ref": format!("refs/heads/{name}"), "sha": sha });
        let branch = api.create(Method::POST, "/git/refs", &body).await;
        let branch = branch.map_err(|problem| step_error("the branch", problem))?;
        let limit = Duration::from_millis(FILL_DEADLINE_MS);
        let filled = tokio::time::timeout(limit, fill(api, page, &name)).await;
        match filled.unwrap_or_else(|_| Err(step_error("the page", TOO_LATE))) {
            Ok((file, pull_request)) => Ok(Proposal {
                branch,
                file,
                pull_request,
            }),
            Err(error) => Err(undo(api, &name, error).await),
        }
    }
}

/// Returns the newest commit of the branch that proposals are based on.
async fn head(api: &Api) -> Result<String, CallError> {
    let response = api.query(&format!("/branches/{}", api.settings.branch)).await?;
    let branch: Branch = response.success()?.json()?;
    Ok(branch.commit.sha)
}

/// Adds the page to its branch, and opens a pull request.
async fn fill(api: &Api, page: &NewPage, branch: &str) -> Result<(Described, Described), ProposalError> {
    let path = format!("{FOLDER}/{}/{}/en.md", page.kind.name(), page.slug);
    let text = Text::of(page);
    let body = json!({
        "message": text.message(),
        "content": STANDARD.encode(&page.markdown),
        "branch": branch,
        "author": page.author.as_ref().unwrap_or(&api.settings.author),
    });
    let file = api.create(Method::PUT, &format!("/contents/{path}"), &body).await;
    let file = file.map_err(|problem| step_error("the file", problem))?;
    let body = json!({
        "title": text.title,
        "body": text.request(api.settings.notify.as_deref()),
        "head": branch,
        "base": api.settings.branch,
    });
    match api.create(Method::POST, "/pulls", &body).await {
        Ok(request) => Ok((file, request)),
        Err(problem) => Err(ProposalError::Failed {
            step: "the pull request",
            problem,
        }),
    }
}

/// Removes the branch of a failed proposal, and with it a possible pull request, so that the page can be proposed
/// again.
async fn undo(api: &Api, branch: &str, error: ProposalError) -> ProposalError {
    let path = api.path(&format!("/git/refs/heads/{branch}"));
    let limit = Duration::from_millis(UNDO_DEADLINE_MS);
    match tokio::time::timeout(limit, send(api.request(Method::DELETE, &path))).await {
        Ok(Ok(response)) if response.status.is_success() => error,
        _ => ProposalError::LeftBehind(Box::new(error)),
    }
}

/// Returns the name of a proposal's branch.
fn branch_of(kind: PageKind, slug: &str) -> String {
    format!("{}-{slug}", kind.name())
}

fn step_error(step: &'static str, problem: CallError) -> ProposalError {
    match problem {
        CallError::Refused(StatusCode::UNPROCESSABLE_ENTITY) => ProposalError::Taken,
        problem => ProposalError::Failed { step, problem },
    }
}

/// The texts of a proposal.
struct Text {
    title: String,
    caution: Option<String>,
}

impl Text {
    fn of(page: &NewPage) -> Self {
        let NewPage {
            kind, slug, username, ..
        } = page;
        let caution = (page.language != Language::En).then(|| {
            format!(
                "Caution: whoever wrote this has set the language {}, so the text may not be in English.",
                page.language.code()
            )
        });
        Self {
            title: format!("New {} post {slug} by {username}", kind.name()),
            caution,
        }
    }

    /// Returns the commit message.
    fn message(&self) -> String {
        self.paragraphs(None)
    }

    /// Returns the text of the pull request.
    fn request(&self, notify: Option<&str>) -> String {
        self.paragraphs(notify.map(|name| format!("@{name}, please have a look.")))
    }

    fn paragraphs(&self, last: Option<String>) -> String {
        let paragraphs = [Some(self.title.clone()), self.caution.clone(), last];
        paragraphs.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
    }
}
