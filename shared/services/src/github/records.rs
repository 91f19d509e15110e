//! [`GitHubSettings`], and the records that are sent to GitHub ([`NewIssue`], [`NewPage`]) and received from it ([`Described`],
//! [`Proposal`]).

use bespoke_core::validate::Language;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::Token;
use crate::http::CallError;

/// Access to GitHub, and the settings of issues, discussions and proposals.
#[derive(Debug, Clone)]
pub struct GitHubSettings {
    /// URL of the API, without a slash at its end.
    pub api_url: String,
    /// The token for the API.
    pub token: Token,
    /// Owner of the repository.
    pub owner: String,
    /// Name of the repository.
    pub repository: String,
    /// The branch that proposals of pages are based on.
    pub branch: String,
    /// Labels that all callers may give an issue.
    pub labels: Vec<String>,
    /// Slug of the category in which discussions are opened.
    pub discussion_category: String,
    /// Commit author of pages whose account does not name its GitHub account.
    pub author: Author,
    /// The GitHub account that is mentioned in proposals.
    pub notify: Option<String>,
}

/// An object of GitHub, as its API returns it.
pub type Described = Map<String, Value>;

/// An issue to open.
#[derive(Debug, Clone, Serialize)]
pub struct NewIssue {
    /// Title.
    pub title: String,
    /// Text, in Markdown.
    pub body: String,
    /// Labels.
    pub labels: Vec<String>,
}

/// Kinds of pages that can be proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PageKind {
    /// A post of the blog.
    Blog,
    /// A post of the showcase.
    Showcase,
}

impl PageKind {
    /// Returns the name of the kind, which is also part of paths.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blog => "blog",
            Self::Showcase => "showcase",
        }
    }

    /// Returns the kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Blog, Self::Showcase]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// The author of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Author {
    /// Name, usually the user name at GitHub.
    pub name: String,
    /// E-mail address.
    pub email: String,
}

/// A page to propose.
#[derive(Debug, Clone)]
pub struct NewPage {
    /// Kind.
    pub kind: PageKind,
    /// Name of the page in paths. The caller ensures that it is a slug.
    pub slug: String,
    /// The page, in Markdown.
    pub markdown: String,
    /// The language of the author.
    pub language: Language,
    /// The user name of the author.
    pub username: String,
    /// The author at GitHub, if the account names it.
    pub author: Option<Author>,
}

/// The objects that were created for a page.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The branch.
    pub branch: Described,
    /// The file and its commit.
    pub file: Described,
    /// The pull request.
    pub pull_request: Described,
}

/// The reason why a proposal failed.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    /// The page or a proposal for it exists already.
    #[error("the page or a proposal for it exists already")]
    Taken,
    /// The first call failed. Nothing was created.
    #[error("nothing was created: {0}")]
    Unavailable(CallError),
    /// A later step failed. Everything that had been created was removed.
    #[error("{step}: {problem}")]
    Failed {
        /// The step.
        step: &'static str,
        /// The cause.
        problem: CallError,
    },
    /// A later step failed, and its branch could not be removed. The page cannot be proposed until the branch is
    /// removed by hand.
    #[error("{0}; its branch was left behind")]
    LeftBehind(Box<ProposalError>),
}
