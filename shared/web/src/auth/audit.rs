//! The audit: entries for the actions of administrators, for their reads of private records, and for the calls of impersonators.

use std::fmt::Display;

use bespoke_core::permission::Actor;
use bespoke_database::Db;
use bespoke_database::audit::{self, Act};
use http::request::Parts;
use serde_json::{Value, json};

use super::identity::Identity;
use crate::response::Result;
use crate::state::{Context, Session};

/// An audit entry for an action. [`Witness::note`] inserts it in the transaction of the action itself, so that the database contains
/// both or neither.
#[derive(Clone)]
pub struct Witness(Act);

impl Context {
    /// Returns an entry for an action of that name, for example `users.update`.
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
    /// Sets the record that the action concerns.
    #[must_use]
    pub fn target(mut self, table: &str, id: impl Display) -> Self {
        self.0.target = Some(format!("{table}/{id}"));
        self
    }

    /// Sets the changed fields, before and after the action.
    #[must_use]
    pub fn change(mut self, before: Value, after: Value) -> Self {
        (self.0.before, self.0.after) = (before, after);
        self
    }

    /// Inserts the entry for an action of `actor`.
    ///
    /// # Errors
    /// The error of the database, which aborts the transaction.
    pub fn note(&self, db: &Db<'_>, actor: Actor) -> Result<()> {
        self.note_by(db, actor.user_id)
    }

    /// Inserts the entry unless `actor` owns the record, because actions on own records are not audited.
    ///
    /// # Errors
    /// Those of [`Witness::note`].
    pub fn note_unless_own(&self, db: &Db<'_>, actor: Actor, owner_id: i64) -> Result<()> {
        if actor.user_id == owner_id {
            Ok(())
        } else {
            self.note(db, actor)
        }
    }

    fn note_by(&self, db: &Db<'_>, user_id: i64) -> Result<()> {
        Ok(audit::insert(db, user_id, &self.0)?)
    }
}

impl Session {
    /// Records a call with an impersonation token, before the handler runs. Does nothing for other calls.
    pub(crate) async fn note_impersonated_call(&self, identity: &Identity, parts: &Parts) -> Result<()> {
        let Some(impersonator) = identity.impersonator else {
            return Ok(());
        };
        let call = json!({ "method": parts.method.as_str(), "path": parts.uri.path() });
        let witness = self.witness("users.impersonate.call");
        let witness = witness
            .target("users", identity.actor.user_id)
            .change(Value::Null, call);
        self.write(move |db| witness.note_by(db, impersonator)).await
    }
}
