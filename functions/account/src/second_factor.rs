//! Asks for the second factor of who signs in.

use bespoke_core::entity::user::{Standing, User};
use bespoke_core::{ScratchCode, typed_code};
use bespoke_database::Db;
use bespoke_database::failed_signins::{self, Origin, Subject};
use bespoke_database::second_factors::{self, SecondFactor};
use bespoke_web::{JsonObject, Result, truthy};

use crate::signin::Entry;

/// A code that somebody has typed, and where.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    /// `None` when there is none.
    pub(crate) code: Option<String>,
    pub(crate) origin: Origin,
}

impl Typed {
    /// The code of a request. What can be no code is a wrong one.
    pub(crate) fn of(body: &JsonObject, origin: Origin) -> Self {
        let token = body.get("token").filter(|token| truthy(token));
        Self {
            code: token.map(|token| typed_code(token).unwrap_or_default()),
            origin,
        }
    }

    /// Whether the code lets its owner sign in, if the account asks for one. One code signs in once. A wrong one is counted, so the
    /// caller must commit.
    pub(crate) fn enter(&self, db: &Db<'_>, user: &User) -> Result<Entry> {
        if !user.mfa_enabled {
            return Ok(Entry::Admitted);
        }
        let Some(code) = &self.code else {
            return Ok(Entry::CodeMissing);
        };
        let right = self.checked(db, &user.standing, |factor| {
            match factor.secret.step_of(code, self.origin.now) {
                Some(step) => Ok(second_factors::use_step(db, user.standing.id, step)?),
                None => use_scratch_code(db, &user.standing, code),
            }
        })?;
        Ok(if right { Entry::Admitted } else { Entry::Refused })
    }

    /// Whether the code is right, also if it has signed in already in its period. A wrong one is counted.
    pub(crate) fn is_right(&self, db: &Db<'_>, owner: &Standing) -> Result<bool> {
        let code = self.code.as_deref().unwrap_or_default();
        self.checked(db, owner, |factor| match factor.secret.step_of(code, self.origin.now) {
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
        let Some(reserved) = failed_signins::reserve(db, subject, Some(owner.id), self.origin)? else {
            return Ok(false);
        };
        let factor = second_factors::of(db, owner)?;
        let right = factor.map_or(Ok(false), |factor| check(&factor))?;
        if right {
            reserved.release(db, subject)?;
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
