//! GitHub, where issues and discussions are opened and pages of the website are proposed (contract-2023 section 7.1). Without
//! settings there is none, and nothing else is missed.

mod client;
mod discussions;
mod pages;

use std::sync::Arc;

use async_trait::async_trait;
use bespoke_core::Timestamp;
use bespoke_core::validate::Language;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::Token;
use crate::http::{CallError, Http};

/// How GitHub is reached, and what is done there.
#[derive(Debug, Clone)]
pub struct GitHubSettings {
    /// URL of the API, without a slash at its end.
    pub api_url: String,
    /// What the API wants to see.
    pub token: Token,
    /// Who owns the repository.
    pub owner: String,
    /// Name of the repository.
    pub repository: String,
    /// The branch that pages are proposed for.
    pub branch: String,
    /// Labels that anybody may give an issue.
    pub labels: Vec<String>,
    /// The last part of the URL of the category that discussions are opened in.
    pub discussion_category: String,
    /// Who proposes pages where the account does not say who it is at GitHub.
    pub author: Author,
    /// The account there that proposals call in.
    pub notify: Option<String>,
}

/// GitHub, when there are settings for it.
pub fn connect(settings: Option<GitHubSettings>, http: Arc<Http>) -> Option<Box<dyn GitHub>> {
    Some(Box::new(client::Client::new(settings?, http)))
}

/// A thing at GitHub, as its API describes it.
pub type Described = Map<String, Value>;

/// An issue that is to be opened; it has nothing else.
#[derive(Debug, Clone, Serialize)]
pub struct NewIssue {
    /// Title.
    pub title: String,
    /// Text, in Markdown.
    pub body: String,
    /// Labels.
    pub labels: Vec<String>,
}

/// Kinds of pages that are proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PageKind {
    /// A post of the blog.
    Blog,
    /// A post of the showcase.
    Showcase,
}

impl PageKind {
    /// Its name, in paths as well.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blog => "blog",
            Self::Showcase => "showcase",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Blog, Self::Showcase]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// Who wrote a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Author {
    /// Name, as a rule the one at GitHub.
    pub name: String,
    /// E-mail address.
    pub email: String,
}

/// A page that is to be proposed.
#[derive(Debug, Clone)]
pub struct NewPage {
    /// Kind.
    pub kind: PageKind,
    /// Its name in paths; whoever makes one sees to it that it is a slug.
    pub slug: String,
    /// The page, in Markdown.
    pub markdown: String,
    /// The language of who wrote it.
    pub language: Language,
    /// The user name of who wrote it.
    pub username: String,
    /// Who that is at GitHub, where he says so.
    pub author: Option<Author>,
}

/// What was made for a page.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The branch.
    pub branch: Described,
    /// The file, and its commit.
    pub file: Described,
    /// The pull request.
    pub pull_request: Described,
}

/// Why there is no proposal.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    /// There is such a page, or a proposal for one.
    #[error("there is such a page, or a proposal for it")]
    Taken,
    /// The first question was not answered: nothing was made.
    #[error("nothing was made: {0}")]
    Unavailable(CallError),
    /// A later step failed, and what had been made before it is removed again.
    #[error("{step}: {problem}")]
    Failed {
        /// Which.
        step: &'static str,
        /// Why.
        problem: CallError,
    },
    /// The same, but its branch is still there, so that nobody can propose the page until somebody has removed that.
    #[error("{0}; its branch was left behind")]
    LeftBehind(Box<ProposalError>),
}

/// The repository at GitHub. Nothing that makes something is asked for twice.
#[async_trait]
pub trait GitHub: Send + Sync {
    /// The labels that anybody may give an issue.
    fn labels(&self) -> &[String];

    /// Opens an issue, and gives it.
    ///
    /// # Errors
    /// [`CallError`]; where there was no answer, it may have been opened.
    async fn create_issue(&self, issue: &NewIssue) -> Result<Described, CallError>;

    /// Opens a discussion, and gives the answer to that: `data.createDiscussion.discussion` has its `url`.
    ///
    /// # Errors
    /// As [`GitHub::create_issue`].
    async fn create_discussion(&self, title: &str, body: &str) -> Result<Described, CallError>;

    /// Proposes a page: a branch of its own, a file in it, and a pull request.
    ///
    /// # Errors
    /// [`ProposalError`]
    async fn propose(&self, page: &NewPage) -> Result<Proposal, ProposalError>;

    /// Whether there is a page of that name; what was asked lately is not asked again.
    ///
    /// # Errors
    /// [`CallError`]
    async fn has_page(&self, kind: PageKind, slug: &str, now: Timestamp) -> Result<bool, CallError>;

    /// Whether there is an open proposal for a page of that name: its branch.
    ///
    /// # Errors
    /// [`CallError`]
    async fn has_proposal(&self, kind: PageKind, slug: &str) -> Result<bool, CallError>;
}

#[cfg(test)]
mod tests;
