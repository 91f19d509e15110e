//! Calls to the API of GitHub.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bespoke_core::Timestamp;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::discussions::Place;
use super::pages::PageLists;
use super::{Described, GitHub, GitHubSettings, NewIssue, NewPage, PageKind, Proposal, ProposalError};
use crate::http::{CallError, CallResponse, Http, send, send_once};

const ACCEPT: &str = "application/vnd.github.v3+json";
/// The version of the API.
const API_VERSION: &str = "2022-11-28";
/// Deadline of a query with all its retries, in milliseconds. It is shorter than the patience of the client that waits
/// for the result.
const ASK_DEADLINE_MS: u64 = 6_000;
/// The deadline was exceeded.
pub(super) const TOO_LATE: CallError = CallError::NoResponse("it took too long");

/// A client of the repository through GitHub's API.
pub(super) struct Client {
    pub(super) settings: GitHubSettings,
    http: Arc<Http>,
    /// The place for discussions, which is queried once.
    pub(super) place: OnceCell<Place>,
    pub(super) pages: PageLists,
}

impl Client {
    pub(super) fn new(settings: GitHubSettings, http: Arc<Http>) -> Self {
        Self {
            settings,
            http,
            place: OnceCell::new(),
            pages: PageLists::default(),
        }
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.settings.api_url));
        request
            .bearer_auth(self.settings.token.expose())
            .header("accept", ACCEPT)
            .header("x-github-api-version", API_VERSION)
    }

    /// Returns the path of a resource of the repository.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{}{rest}", self.settings.owner, self.settings.repository)
    }

    /// Queries a resource of the repository. Retries if GitHub fails temporarily.
    pub(super) async fn ask(&self, rest: &str) -> Result<CallResponse, CallError> {
        let request = self.request(Method::GET, &self.path(rest));
        let limit = Duration::from_millis(ASK_DEADLINE_MS);
        tokio::time::timeout(limit, send(request))
            .await
            .unwrap_or(Err(TOO_LATE))
    }

    /// Creates a resource. The call is not retried, because a retry could create it twice.
    pub(super) async fn make(&self, method: Method, rest: &str, body: &Value) -> Result<Described, CallError> {
        let answer = send_once(self.request(method, &self.path(rest)).json(body)).await?;
        if answer.status == StatusCode::CREATED {
            answer.json()
        } else {
            Err(CallError::Refused(answer.status))
        }
    }
}

#[async_trait]
impl GitHub for Client {
    fn labels(&self) -> &[String] {
        &self.settings.labels
    }

    async fn create_issue(&self, issue: &NewIssue) -> Result<Described, CallError> {
        let body = serde_json::to_value(issue).map_err(|_| CallError::InvalidResponse)?;
        self.make(Method::POST, "/issues", &body).await
    }

    async fn create_discussion(&self, title: &str, body: &str) -> Result<Described, CallError> {
        let place = self.place.get_or_try_init(|| self.find_place()).await?;
        self.discuss(place, title, body).await
    }

    async fn propose(&self, page: &NewPage) -> Result<Proposal, ProposalError> {
        self.propose_page(page).await
    }

    async fn has_page(&self, kind: PageKind, slug: &str, now: Timestamp) -> Result<bool, CallError> {
        self.is_taken(kind, slug, now).await
    }

    async fn has_proposal(&self, kind: PageKind, slug: &str) -> Result<bool, CallError> {
        self.is_proposed(kind, slug).await
    }
}
