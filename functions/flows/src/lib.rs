//! The function `flows`: contributions of users. It mails requests to become a translator and suggestions of languages, and opens issues,
//! discussions and pull requests on GitHub. [`router`] lists its routes.

mod discussion;
mod fields;
mod issue;
mod language_suggestion;
mod mails;
mod pull_request;
mod slugs;
mod translator_invite;

use bespoke_services::github::GitHub;
use bespoke_web::{Error, Result, Routes, Session, route};

/// The routes of the `flows` function, one of the deployable groups of routes.
pub fn router() -> Routes {
    Routes::new("flows")
        .with(route!(translator_invite::invite).repeatable())
        .with(route!(language_suggestion::suggest).repeatable())
        .with(route!(issue::create))
        .with(route!(discussion::create))
        .with(route!(pull_request::blog))
        .with(route!(pull_request::showcase))
        .with(route!(slugs::blog))
        .with(route!(slugs::showcase))
}

/// Seconds after which a client may retry when GitHub fails.
const RETRY_AFTER_S: u64 = 5;

/// Returns the GitHub repository. Handlers call this first.
fn github(session: &Session) -> Result<&dyn GitHub> {
    session.github().ok_or(Error::bad_request("notEnabled"))
}

/// The error for a failed call of GitHub that changed nothing.
fn unavailable(problem: impl std::fmt::Display) -> Error {
    Error::unavailable(RETRY_AFTER_S, format!("GitHub: {problem}"))
}
