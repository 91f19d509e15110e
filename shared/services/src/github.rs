//! [`GitHub`]: opens issues and discussions at GitHub, and proposes pages of the website. Without settings, GitHub is not used.
//!
//! `api` calls the API. `discussions` and `pages` build on it; each owns the answers that it caches. `client` combines
//! them to a [`GitHub`].

mod api;
mod client;
mod discussions;
mod pages;
mod records;

use std::sync::Arc;

use async_trait::async_trait;
use bespoke_core::Timestamp;

use crate::http::{CallError, Http};

pub use records::{Author, Described, GitHubSettings, NewIssue, NewPage, PageKind, Proposal, ProposalError};

/// Returns a client if there are settings for GitHub.
pub fn connect(settings: Option<GitHubSettings>, http: Arc<Http>) -> Option<Box<dyn GitHub>> {
    Some(Box::new(client::Client::new(settings?, http)))
}

/// The repository at GitHub. Calls that create something are never repeated.
#[async_trait]
pub trait GitHub: Send + Sync {
    /// Returns the labels that all callers may give an issue.
    fn labels(&self) -> &[String];

    /// Opens an issue, and returns it.
    ///
    /// # Errors
    /// [`CallError`]. Without a response, the issue may have been opened nevertheless.
    async fn create_issue(&self, issue: &NewIssue) -> Result<Described, CallError>;

    /// Opens a discussion, and returns the response: `data.createDiscussion.discussion` contains its `url`.
    ///
    /// # Errors
    /// As [`GitHub::create_issue`].
    async fn create_discussion(&self, title: &str, body: &str) -> Result<Described, CallError>;

    /// Proposes a page: a new branch, a file in it, and a pull request.
    ///
    /// # Errors
    /// [`ProposalError`]
    async fn propose(&self, page: &NewPage) -> Result<Proposal, ProposalError>;

    /// Returns whether a page of that name exists. The list of pages is cached.
    ///
    /// # Errors
    /// [`CallError`]
    async fn has_page(&self, kind: PageKind, slug: &str, now: Timestamp) -> Result<bool, CallError>;

    /// Returns whether the branch of an open proposal for that page exists.
    ///
    /// # Errors
    /// [`CallError`]
    async fn has_proposal(&self, kind: PageKind, slug: &str) -> Result<bool, CallError>;
}

#[cfg(test)]
mod tests;
