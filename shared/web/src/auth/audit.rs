//! [`AuditEntry`]: records the actions of administrators, their reads of private records, and the calls of impersonators.

use std::fmt::Display;

use bespoke_core::permission::Actor;
use bespoke_database::Db;
use bespoke_database::audit::{self, NewAuditEntry};
use http::request::Parts;
use serde_json::{Value, json};

use super::identity::Identity;
use crate::response::Result;
use crate::state::{Context, Session};

/// An audit entry for an action. [`AuditEntry::record`] inserts it in the transaction of the action itself, so that the database contains
/// both or neither.
#[derive(Clone)]
pub struct AuditEntry(NewAuditEntry);

impl Context {
    /// Returns an entry for an action of that name, for example `users.update`.
    pub fn audit_entry(&self, action: &'static str) -> AuditEntry {
        AuditEntry(NewAuditEntry {
            uuid: self.random().uuid(),
            created_at: self.now(),
            action,
            target: None,
            before: Value::Null,
            after: Value::Null,
        })
    }
}

impl AuditEntry {
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
    pub fn record(&self, db: &Db<'_>, actor: Actor) -> Result<()> {
        self.insert(db, actor.user_id)
    }

    /// Inserts the entry unless `actor` owns the record, because actions on own records are not audited.
    ///
    /// # Errors
    /// The errors of [`AuditEntry::record`].
    pub fn record_unless_own(&self, db: &Db<'_>, actor: Actor, owner_id: i64) -> Result<()> {
        if actor.user_id == owner_id {
            Ok(())
        } else {
            self.record(db, actor)
        }
    }

    fn insert(&self, db: &Db<'_>, user_id: i64) -> Result<()> {
        Ok(audit::insert(db, user_id, &self.0)?)
    }
}

impl Session {
    /// Records a call with an impersonation token, before the handler runs. Does nothing for other calls.
    pub(crate) async fn record_impersonated_call(&self, identity: &Identity, parts: &Parts) -> Result<()> {
        let Some(impersonator) = identity.impersonator else {
            return Ok(());
        };
        let call = json!({ "method": parts.method.as_str(), "path": parts.uri.path() });
        let audit_entry = self.audit_entry("users.impersonate.call");
        let audit_entry = audit_entry
            .target("users", identity.actor.user_id)
            .change(Value::Null, call);
        self.write_on_any_route(move |db| audit_entry.insert(db, impersonator))
            .await
    }
}
