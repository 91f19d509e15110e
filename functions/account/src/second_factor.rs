//! Asks for the second factor of who signs in.

use bespoke_core::entity::user::{AccountStatus, User};
use bespoke_core::{ScratchCode, typed_code};
use bespoke_database::Db;
use bespoke_database::second_factors::{self, SecondFactor};
use bespoke_web::attempts::{AttemptOrigin, AttemptTarget, ReservedAttempt};
use bespoke_web::{Error, JsonObject, Result, Session, truthy};

use crate::lockout;
use crate::signin::Entry;

/// A code that somebody has typed, and where.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    /// `None` when there is none.
    pub(crate) code: Option<String>,
    pub(crate) origin: AttemptOrigin,
}

impl Typed {
    /// The code of a request. What can be no code is a wrong one.
    pub(crate) fn of(body: &JsonObject, origin: AttemptOrigin) -> Self {
        let token = body.get("token").filter(|token| truthy(token));
        Self {
            code: token.map(|token| typed_code(token).unwrap_or_default()),
            origin,
        }
    }

    /// The code for an account that cannot be entered or does not exist yet.
    pub(crate) fn uncounted(self) -> CountedCode {
        CountedCode {
            typed: self,
            reserved: None,
        }
    }

    /// Counts the attempt at the second factor of the account, if it has one and a code was typed.
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

/// A typed code, as an attempt that was counted.
#[derive(Debug, Clone)]
pub(crate) struct CountedCode {
    pub(crate) typed: Typed,
    /// `None` if there was nothing to count, or if the second factor is locked.
    reserved: Option<ReservedAttempt>,
}

impl CountedCode {
    /// Whether the code lets its owner sign in, if the account asks for one. One code signs in once.
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

    /// Whether the code is right, also if it has signed in already in its period.
    pub(crate) fn is_right(&self, db: &Db<'_>, owner: &AccountStatus) -> Result<bool> {
        let code = self.typed.code.as_deref().unwrap_or_default();
        self.checked(db, owner, |factor| {
            match factor.secret.step_of(code, self.typed.origin.now) {
                Some(_) => Ok(true),
                None => use_scratch_code(db, owner, code),
            }
        })
    }

    /// Takes the attempt back if the code was right, or if an error left that open; tells the owner if the code was wrong and locks the second
    /// factor.
    pub(crate) async fn settle(self, session: &Session, outcome: Result<Entry, &Error>) -> Result<()> {
        let Some(reserved) = self.reserved else { return Ok(()) };
        match outcome {
            Ok(Entry::Admitted) | Err(_) => session.release_attempt(reserved).await,
            Ok(Entry::Refused) => lockout::failed(session, &reserved).await?,
            Ok(Entry::CodeMissing) => {}
        }
        Ok(())
    }

    /// Whether it was counted. Otherwise, it must not be checked.
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
