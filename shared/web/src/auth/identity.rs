//! [`Identity`]: the account of a caller, and the method of its authentication.

use bespoke_core::Timestamp;
use bespoke_core::entity::user::AccountStatus;
use bespoke_core::permission::Actor;
use bespoke_database::usage::Call;
use uuid::Uuid;

use crate::limits::RateSubject;
use crate::response::Result;
use crate::state::Session;

/// The authentication method of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// A token.
    Token,
    /// The API key of that UUID.
    Key(Uuid),
}

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The id of the account and the level of the call.
    pub actor: Actor,
    /// The account as the database has it now.
    pub account_status: AccountStatus,
    /// The authentication method.
    pub auth_method: AuthMethod,
    /// Integer id of the account that impersonates this one; `None` unless the token is an impersonation token.
    pub impersonator: Option<i64>,
}

impl Identity {
    fn key(&self) -> Option<Uuid> {
        match self.auth_method {
            AuthMethod::Token => None,
            AuthMethod::Key(uuid) => Some(uuid),
        }
    }

    /// Counts the call for the rate limits of the key and the account.
    ///
    /// # Errors
    /// 429 if a limit is used up.
    pub(super) fn limit(&self, session: &Session) -> Result<()> {
        self.key()
            .map_or(Ok(()), |uuid| session.limit(RateSubject::Key(uuid)))?;
        session.limit(RateSubject::Account(self.actor.user_id))
    }

    /// Counts the call in the usage statistics, as accepted or refused by `verdict`, and returns `verdict`.
    ///
    /// # Errors
    /// The error of `verdict`.
    pub(super) fn count(&self, session: &Session, verdict: Result<()>, now: Timestamp) -> Result<()> {
        session.database().usage().count(Call {
            // A call by an impersonator is not activity of the account.
            user_id: self.impersonator.unwrap_or(self.actor.user_id),
            key: self.key(),
            refused: verdict.is_err(),
            at: now,
        });
        verdict
    }
}
