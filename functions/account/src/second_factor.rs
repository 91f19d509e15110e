//! Asks for the second factor of who signs in.

use std::net::IpAddr;

use bespoke_core::entity::user::{Standing, User};
use bespoke_core::{ScratchCode, Timestamp, typed_code};
use bespoke_database::Db;
use bespoke_database::failed_signins::{self, Subject};
use bespoke_database::second_factors::{self, SecondFactor};
use bespoke_web::{Error, JsonObject, Result, truthy};

use crate::lockout::is_locked;

/// A code that somebody has typed, and where.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    /// `None` when there is none.
    pub(crate) code: Option<String>,
    pub(crate) client: IpAddr,
    pub(crate) now: Timestamp,
}

impl Typed {
    /// The code of a request. What can be no code is a wrong one.
    pub(crate) fn of(body: &JsonObject, client: IpAddr, now: Timestamp) -> Self {
        let token = body.get("token").filter(|token| truthy(token));
        Self {
            code: token.map(|token| typed_code(token).unwrap_or_default()),
            client,
            now,
        }
    }

    /// Whether the code lets its owner sign in, where one is asked for. One code signs in once; a wrong one is counted, so what
    /// this wrote has to be kept.
    ///
    /// # Errors
    /// 403 when there is no code.
    pub(crate) fn signs_in(&self, db: &Db<'_>, user: &User) -> Result<bool> {
        if !user.mfa_enabled {
            return Ok(true);
        }
        let code = self.code.as_deref().ok_or(Error::forbidden("mfaTokenRequired"))?;
        self.checked(db, &user.standing, |factor| {
            match factor.secret.step_of(code, self.now) {
                Some(step) => Ok(second_factors::use_step(db, user.standing.id, step)?),
                None => use_scratch_code(db, &user.standing, code),
            }
        })
    }

    /// Whether the code is right, also when it has signed in already in its period. A wrong one is counted.
    pub(crate) fn is_right(&self, db: &Db<'_>, owner: &Standing) -> Result<bool> {
        let code = self.code.as_deref().unwrap_or_default();
        self.checked(db, owner, |factor| match factor.secret.step_of(code, self.now) {
            Some(_) => Ok(true),
            None => use_scratch_code(db, owner, code),
        })
    }

    fn checked(
        &self,
        db: &Db<'_>,
        owner: &Standing,
        check: impl FnOnce(&SecondFactor) -> Result<bool>,
    ) -> Result<bool> {
        let subject = Subject::SecondFactor(owner.id);
        if is_locked(db, subject, self.client, self.now)? {
            return Ok(false);
        }
        let factor = second_factors::of(db, owner)?;
        let right = factor.map_or(Ok(false), |factor| check(&factor))?;
        if !right {
            failed_signins::insert(db, subject, self.client, self.now)?;
        }
        Ok(right)
    }
}

fn use_scratch_code(db: &Db<'_>, owner: &Standing, code: &str) -> Result<bool> {
    match ScratchCode::parse(code) {
        Some(code) => Ok(second_factors::use_scratch_code(db, owner, &code)?),
        None => Ok(false),
    }
}
