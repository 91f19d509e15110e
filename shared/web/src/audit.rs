//! The audit: what administrators do, and every read of a private record of somebody else.

use std::fmt::Display;

use bespoke_core::permission::Actor;
use bespoke_database::Db;
use bespoke_database::audit::{self, Act};
use http::request::Parts;
use serde_json::{Value, json};

use crate::{Caller, Context, Identity, Result, Session};

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
        self.note_by(db, actor.user_id)
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

    fn note_by(&self, db: &Db<'_>, user_id: i64) -> Result<()> {
        Ok(audit::insert(db, user_id, &self.0)?)
    }
}

impl<const LEVEL: u8> Caller<LEVEL> {
    /// Writes down that the caller reads a private record of another account; does nothing if `owner_id` is the caller. A handler
    /// calls it before it responds, so that no such record is shown without an entry in the audit.
    ///
    /// # Errors
    /// 401 and 403 as before the handler; those of [`Session::write`].
    pub async fn note_read(&self, session: &Session, witness: Witness, owner_id: i64) -> Result<()> {
        if self.actor.user_id == owner_id {
            return Ok(());
        }
        self.note(session, witness).await
    }
}

impl Session {
    /// Writes down a call with a token of impersonation, before it is handled.
    pub(crate) async fn note_impersonated_call(&self, identity: &Identity, parts: &Parts) -> Result<()> {
        let Some(impersonator) = identity.impersonator else {
            return Ok(());
        };
        let call = json!({ "method": parts.method.as_str(), "path": parts.uri.path() });
        let witness = self.witness("users.impersonate.call");
        let witness = witness
            .target("users", identity.actor.user_id)
            .change(Value::Null, call);
        self.write_on_any_route(move |db| witness.note_by(db, impersonator))
            .await
    }
}
