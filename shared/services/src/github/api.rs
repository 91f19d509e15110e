//! [`Api`]: calls to the API of GitHub.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

use super::records::{Described, GitHubSettings};
use crate::http::{CallError, CallResponse, Http, send, send_once};

const ACCEPT: &str = "application/vnd.github.v3+json";
/// The version of the API.
const API_VERSION: &str = "2022-11-28";
/// Deadline of a query with all its retries, in milliseconds. It is shorter than the timeout of the client that waits
/// for the result.
const QUERY_DEADLINE_MS: u64 = 6_000;
/// The error of a call that exceeded its deadline.
pub(super) const TOO_LATE: CallError = CallError::NoResponse("it took too long");

/// The API for one repository.
pub(super) struct Api {
    pub(super) settings: GitHubSettings,
    http: Arc<Http>,
}

impl Api {
    pub(super) fn new(settings: GitHubSettings, http: Arc<Http>) -> Self {
        Self { settings, http }
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
    pub(super) async fn query(&self, rest: &str) -> Result<CallResponse, CallError> {
        let request = self.request(Method::GET, &self.path(rest));
        let limit = Duration::from_millis(QUERY_DEADLINE_MS);
        tokio::time::timeout(limit, send(request))
            .await
            .unwrap_or(Err(TOO_LATE))
    }

    /// Creates a resource. The call is not retried, because a retry could create it twice.
    pub(super) async fn create(&self, method: Method, rest: &str, body: &Value) -> Result<Described, CallError> {
        let response = send_once(self.request(method, &self.path(rest)).json(body)).await?;
        if response.status == StatusCode::CREATED {
            response.json()
        } else {
            Err(CallError::Refused(response.status))
        }
    }
}
