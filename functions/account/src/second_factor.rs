//! Checks the second factor of a sign-in.

use bespoke_core::entity::user::{AccountStatus, User};
use bespoke_core::{ScratchCode, typed_code};
use bespoke_database::Db;
use bespoke_database::second_factors::{self, SecondFactor};
use bespoke_web::attempts::{AttemptOrigin, AttemptTarget, ReservedAttempt};
use bespoke_web::{Error, JsonObject, Result, Session, truthy};

use crate::lockout;
use crate::signin::Entry;

/// A typed code, and the origin of the request.
#[derive(Debug, Clone)]
pub(crate) struct TypedCode {
    /// `None` if the request has no code.
    pub(crate) code: Option<String>,
    pub(crate) origin: AttemptOrigin,
}

impl TypedCode {
    /// Reads the code of a request. A value of a wrong type becomes a wrong code.
    pub(crate) fn of(body: &JsonObject, origin: AttemptOrigin) -> Self {
        let token = body.get("token").filter(|token| truthy(token));
        Self {
            code: token.map(|token| typed_code(token).unwrap_or_default()),
            origin,
        }
    }

    /// Converts the code without counting an attempt, for an account that cannot sign in or does not exist yet.
    pub(crate) fn uncounted(self) -> CountedCode {
        CountedCode {
            typed: self,
            reserved: None,
        }
    }

    /// Counts an attempt at the second factor, if the account has one and the request has a code.
    pub(crate) async fn count(self, session: &Session, user: &User) -> Result<CountedCode> {
        let id = user.account_status.id;
        let reserved = match user.mfa_enabled && self.code.is_some() {
            true => {
                session
                    .reserve_attempt(&AttemptTarget::SecondFactor(id), Some(id), self.origin)
                    .await?
            }
            false => None,
        };
        Ok(CountedCode { typed: self, reserved })
    }
}

/// A typed code whose attempt was counted.
#[derive(Debug, Clone)]
pub(crate) struct CountedCode {
    pub(crate) typed: TypedCode,
    /// `None` if there was nothing to count, or if the second factor is locked.
    reserved: Option<ReservedAttempt>,
}

impl CountedCode {
    /// Decides whether the code allows a sign-in. Each code signs in once. An account without second factor needs no code.
    pub(crate) fn enter(&self, db: &Db<'_>, user: &User) -> Result<Entry> {
        if !user.mfa_enabled {
            return Ok(Entry::Admitted);
        }
        let Some(code) = &self.typed.code else {
            return Ok(Entry::CodeMissing);
        };
        let right = self.checked(db, &user.account_status, |factor| {
            match factor.secret.step_of(code, self.typed.origin.now) {
                Some(step) => Ok(second_factors::use_step(db, user.account_status.id, step)?),
                None => use_scratch_code(db, &user.account_status, code),
            }
        })?;
        Ok(if right { Entry::Admitted } else { Entry::Refused })
    }

    /// Whether the code is right, even if it has already been used to sign in.
    pub(crate) fn is_right(&self, db: &Db<'_>, owner: &AccountStatus) -> Result<bool> {
        let code = self.typed.code.as_deref().unwrap_or_default();
        self.checked(db, owner, |factor| {
            match factor.secret.step_of(code, self.typed.origin.now) {
                Some(_) => Ok(true),
                None => use_scratch_code(db, owner, code),
            }
        })
    }

    /// Uncounts the attempt if the code was right, or if an error prevented the check. Notifies the owner if the code was wrong and this
    /// locks the second factor.
    pub(crate) async fn settle(self, session: &Session, outcome: Result<Entry, &Error>) -> Result<()> {
        let Some(reserved) = self.reserved else { return Ok(()) };
        match outcome {
            Ok(Entry::Admitted) | Err(_) => session.release_attempt(reserved).await,
            Ok(Entry::Refused) => lockout::failed(session, &reserved).await?,
            Ok(Entry::CodeMissing) => {}
        }
        Ok(())
    }

    /// Whether the attempt was counted. A code that was not counted must not be checked.
    pub(crate) fn is_counted(&self) -> bool {
        self.reserved.is_some()
    }

    fn checked(
        &self,
        db: &Db<'_>,
        owner: &AccountStatus,
        check: impl FnOnce(&SecondFactor) -> Result<bool>,
    ) -> Result<bool> {
        if !self.is_counted() {
            return Ok(false);
        }
        let factor = second_factors::of(db, owner)?;
        factor.map_or(Ok(false), |factor| check(&factor))
    }
}

fn use_scratch_code(db: &Db<'_>, owner: &AccountStatus, code: &str) -> Result<bool> {
    match ScratchCode::parse(code) {
        Some(code) => Ok(second_factors::use_scratch_code(db, owner, &code)?),
        None => Ok(false),
    }
}
