//! Writing down what administrators do.

use std::fmt::Display;

use bespoke_core::permission::Actor;
use bespoke_database::Db;
use bespoke_database::audit::{self, Act};
use serde_json::Value;

use crate::{Context, Result};

/// An act of an administrator that is about to take place. It is written down with [`Witness::note`] in the transaction
/// of the act itself, so that there is neither without the other.
#[derive(Clone)]
pub struct Witness(Act);

impl Context {
    /// A witness for an act of that name: `users.update`, for example.
    pub fn witness(&self, action: &'static str) -> Witness {
        Witness(Act {
            uuid: self.random().uuid(),
            created_at: self.now(),
            action,
            target: None,
            before: Value::Null,
            after: Value::Null,
        })
    }
}

impl Witness {
    /// The row of the table that is acted upon.
    #[must_use]
    pub fn target(mut self, table: &str, id: impl Display) -> Self {
        self.0.target = Some(format!("{table}/{id}"));
        self
    }

    /// What is changed, as it was before and as it is now.
    #[must_use]
    pub fn change(mut self, before: Value, after: Value) -> Self {
        (self.0.before, self.0.after) = (before, after);
        self
    }

    /// Writes down that `actor` does it.
    ///
    /// # Errors
    /// When the row cannot be written; then nothing of the transaction is.
    pub fn note(&self, db: &Db<'_>, actor: Actor) -> Result<()> {
        Ok(audit::insert(db, actor.user_id, &self.0)?)
    }

    /// Writes it down unless the record is the actor's own: everybody does as he likes with that.
    ///
    /// # Errors
    /// As [`Witness::note`].
    pub fn note_unless_own(&self, db: &Db<'_>, actor: Actor, owner_id: i64) -> Result<()> {
        if actor.user_id == owner_id {
            Ok(())
        } else {
            self.note(db, actor)
        }
    }
}
