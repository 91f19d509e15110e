//! [`Client`]: the implementation of [`GitHub`] by GitHub's API.

use std::sync::Arc;

use async_trait::async_trait;
use bespoke_core::Timestamp;
use reqwest::Method;

use super::GitHub;
use super::api::Api;
use super::discussions::Discussions;
use super::pages::WebsitePages;
use super::records::{Described, GitHubSettings, NewIssue, NewPage, PageKind, Proposal, ProposalError};
use crate::http::{CallError, Http};

/// A client of the repository through GitHub's API.
pub(super) struct Client {
    api: Api,
    discussions: Discussions,
    pages: WebsitePages,
}

impl Client {
    pub(super) fn new(settings: GitHubSettings, http: Arc<Http>) -> Self {
        Self {
            api: Api::new(settings, http),
            discussions: Discussions::default(),
            pages: WebsitePages::default(),
        }
    }
}

#[async_trait]
impl GitHub for Client {
    fn labels(&self) -> &[String] {
        &self.api.settings.labels
    }

    async fn create_issue(&self, issue: &NewIssue) -> Result<Described, CallError> {
        let body = serde_json::to_value(issue).map_err(|_| CallError::InvalidResponse)?;
        self.api.create(Method::POST, "/issues", &body).await
    }

    async fn create_discussion(&self, title: &str, body: &str) -> Result<Described, CallError> {
        self.discussions.create(&self.api, title, body).await
    }

    async fn propose(&self, page: &NewPage) -> Result<Proposal, ProposalError> {
        self.pages.propose(&self.api, page).await
    }

    async fn has_page(&self, kind: PageKind, slug: &str, now: Timestamp) -> Result<bool, CallError> {
        self.pages.exists(&self.api, kind, slug, now).await
    }

    async fn has_proposal(&self, kind: PageKind, slug: &str) -> Result<bool, CallError> {
        self.pages.is_proposed(&self.api, kind, slug).await
    }
}
