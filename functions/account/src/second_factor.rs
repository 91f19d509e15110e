//! Checks the code of a second factor, for a sign-in or for the removal of the second factor: [`SubmittedCode`] is the code of a request,
//! and [`CodeAttempt`] is its reserved attempt.
//!
//! An attempt is reserved before a code is checked, because concurrent requests could otherwise try more codes than the
//! limit allows. It is released if the code was right, or if an error prevented the check.

use bespoke_core::entity::user::{AccountStatus, User};
use bespoke_core::{ScratchCode, typed_code};
use bespoke_database::Db;
use bespoke_database::second_factors::{self, SecondFactor};
use bespoke_web::attempts::{AttemptOrigin, AttemptTarget, ReservedAttempt};
use bespoke_web::{Error, JsonObject, Result, Session, truthy};

use crate::lockout;
use crate::signin::SignInDecision;

/// A submitted code, and the origin of the request.
#[derive(Debug, Clone)]
pub(crate) struct SubmittedCode {
    /// `None` if the request has no code.
    pub(crate) code: Option<String>,
    pub(crate) origin: AttemptOrigin,
}

impl SubmittedCode {
    /// Reads the code of a request. A token that is not a string or number is treated as a wrong code.
    pub(crate) fn of(body: &JsonObject, origin: AttemptOrigin) -> Self {
        let token = body.get("token").filter(|token| truthy(token));
        Self {
            code: token.map(|token| typed_code(token).unwrap_or_default()),
            origin,
        }
    }

    /// Returns the code without an attempt, for a sign-up by OAuth, or for an account whose status or consent forbids the
    /// sign-in.
    pub(crate) fn without_attempt(self) -> CodeAttempt {
        CodeAttempt {
            submitted: self,
            reserved: None,
        }
    }

    /// Reserves an attempt at the second factor, if the account has one and the request has a code.
    pub(crate) async fn reserve(self, session: &Session, user: &User) -> Result<CodeAttempt> {
        let id = user.account_status.id;
        let reserved = match user.mfa_enabled && self.code.is_some() {
            true => {
                session
                    .reserve_attempt(&AttemptTarget::SecondFactor(id), Some(id), self.origin)
                    .await?
            }
            false => None,
        };
        Ok(CodeAttempt {
            submitted: self,
            reserved,
        })
    }
}

/// A submitted code, and the attempt that was reserved for it, if any.
#[derive(Debug, Clone)]
pub(crate) struct CodeAttempt {
    pub(crate) submitted: SubmittedCode,
    /// `None` if there was nothing to check, or if the second factor is locked.
    reserved: Option<ReservedAttempt>,
}

impl CodeAttempt {
    /// Decides whether the code allows a sign-in. Each code can be used for one sign-in only. An account without second
    /// factor needs no code.
    pub(crate) fn check_for_sign_in(&self, db: &Db<'_>, user: &User) -> Result<SignInDecision> {
        if !user.mfa_enabled {
            return Ok(SignInDecision::Admitted);
        }
        let Some(code) = &self.submitted.code else {
            return Ok(SignInDecision::CodeMissing);
        };
        let right = self.with_factor(db, &user.account_status, |factor| {
            match factor.secret.step_of(code, self.submitted.origin.now) {
                Some(step) => Ok(second_factors::use_step(db, user.account_status.id, step)?),
                None => use_scratch_code(db, &user.account_status, code),
            }
        })?;
        Ok(if right {
            SignInDecision::Admitted
        } else {
            SignInDecision::Refused
        })
    }

    /// Returns whether the code is right. A TOTP code may have been used before; a scratch code is consumed.
    pub(crate) fn check_and_consume(&self, db: &Db<'_>, owner: &AccountStatus) -> Result<bool> {
        let code = self.submitted.code.as_deref().unwrap_or_default();
        self.with_factor(db, owner, |factor| {
            match factor.secret.step_of(code, self.submitted.origin.now) {
                Some(_) => Ok(true),
                None => use_scratch_code(db, owner, code),
            }
        })
    }

    /// Releases the reserved attempt if the code was right, or if an error prevented the check. Otherwise keeps it, and
    /// notifies the owner if this locks the second factor.
    pub(crate) async fn release_or_keep(
        self,
        session: &Session,
        outcome: Result<SignInDecision, &Error>,
    ) -> Result<()> {
        let Some(reserved) = self.reserved else { return Ok(()) };
        match outcome {
            Ok(SignInDecision::Admitted) | Err(_) => session.release_attempt(reserved).await,
            Ok(SignInDecision::Refused) => lockout::failed(session, &reserved).await?,
            Ok(SignInDecision::CodeMissing) => {}
        }
        Ok(())
    }

    /// Returns whether an attempt is reserved. A code without a reserved attempt must not be checked.
    pub(crate) fn is_reserved(&self) -> bool {
        self.reserved.is_some()
    }

    /// Runs `check` with the second factor of `owner`. Returns false without it if the account has none, or if no attempt
    /// is reserved.
    fn with_factor(
        &self,
        db: &Db<'_>,
        owner: &AccountStatus,
        check: impl FnOnce(&SecondFactor) -> Result<bool>,
    ) -> Result<bool> {
        if !self.is_reserved() {
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
