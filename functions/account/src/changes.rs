//! [`Changes`]: parses, checks and stores the fields that `PATCH /account/{auth}` can change.

use bespoke_core::StoredJson;
use bespoke_core::entity::mail::Template;
use bespoke_core::entity::user::{Consent, User};
use bespoke_core::permission::{Actor, Denied};
use bespoke_core::validate::{Language, fold_username, new_username};
use bespoke_core::{EntityId, Level, MAX_PASSWORD_BYTES};
use bespoke_database::mail_budgets::{self, Purpose};
use bespoke_database::{Db, outbox, users};
use bespoke_web::{Error, JsonObject, Result, Session, truthy};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::email::EmailChange;

/// The highest value of `control`: the interface shows everything.
const MAX_CONTROL: f64 = 5.0;
/// Limit for `bio`, in bytes.
const MAX_BIO_BYTES: usize = 64 * 1024;
pub(crate) const WRONG_PASSWORD: Error = Error::unauthorized("authenticationFailed");
/// Fields that qualify another field, or are read elsewhere. They never count as ignored.
const SILENT: [&str; 5] = ["test", "currentPassword", "confirm", "confirmation", "check"];

/// The valid changes of a request.
#[derive(Default)]
pub(crate) struct Changes {
    bio: Option<String>,
    consent: Option<Consent>,
    control: Option<i64>,
    language: Option<Language>,
    compare: Option<bool>,
    imperial: Option<bool>,
    newsletter: Option<bool>,
    data: JsonObject,
    username: Option<String>,
    pub(crate) password: Option<String>,
    /// The stored password hash that the current password was verified_hash against.
    pub(crate) verified_hash: Option<String>,
    email: Option<EmailChange>,
    sign_out_everywhere: bool,
    /// Whether the request is marked as a test.
    test: bool,
}

/// The result of storing changes.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct StoredChanges {
    /// Names of the fields that were not stored, because they do not fit the current account.
    pub(crate) refused: Vec<String>,
    /// The confirmation that was created or used. Only in test mode.
    pub(crate) confirmation: Option<Uuid>,
}

impl Changes {
    /// Parses a request for the account with that integer id. Also returns the names of the ignored fields.
    pub(crate) fn read(body: JsonObject, id: i64) -> (Self, Vec<String>) {
        let mut changes = Self {
            email: EmailChange::read(&body),
            test: body.get("test").is_some_and(truthy),
            ..Self::default()
        };
        let mut ignored = Vec::new();
        for (field, value) in body {
            if !changes.take(&field, value, id) && !SILENT.contains(&field.as_str()) {
                ignored.push(field);
            }
        }
        (changes, ignored)
    }

    fn take(&mut self, field: &str, value: Value, id: i64) -> bool {
        match (field, value) {
            ("bio", Value::String(bio)) if bio.len() <= MAX_BIO_BYTES => self.bio = Some(bio),
            ("consent", value) => {
                self.consent = crate::consent_of(Some(&value));
                return self.consent.is_some();
            }
            ("control", Value::Number(number)) => {
                let control = number
                    .as_f64()
                    .filter(|n| n.fract() == 0.0 && (1.0..=MAX_CONTROL).contains(n));
                self.control = control.map(|control| control as i64);
                return control.is_some();
            }
            ("language", Value::String(code)) => {
                self.language = code.parse().ok();
                return self.language.is_some();
            }
            ("compare", Value::Bool(compare)) => self.compare = Some(compare),
            ("imperial", Value::Bool(imperial)) => self.imperial = Some(imperial),
            ("newsletter", Value::Bool(newsletter)) => self.newsletter = Some(newsletter),
            ("signOutEverywhere", Value::Bool(sign_out)) => self.sign_out_everywhere = sign_out,
            // Already parsed. Another change of the address is only parsed if this field is not a valid address.
            ("email", _) => return matches!(self.email, Some(EmailChange::Request(_))),
            ("data", Value::Object(data)) => self.data = data,
            ("username", Value::String(name)) => {
                self.username = new_username(&name, id);
                return self.username.is_some();
            }
            ("password", Value::String(password)) if (1..=MAX_PASSWORD_BYTES).contains(&password.len()) => {
                self.password = Some(password);
            }
            _ => return false,
        }
        true
    }

    /// Checks that the actor may make these changes. Credentials and consent need level 4, and a restricted key cannot change
    /// credentials.
    pub(crate) fn check_permission(&self, actor: Actor) -> Result<()> {
        let credentials = self.changes_credentials();
        if (credentials || self.consent.is_some()) && actor.level < Level::USER {
            return Err(Denied.into());
        }
        if credentials {
            actor.may_change_credentials()?;
        }
        Ok(())
    }

    fn changes_credentials(&self) -> bool {
        self.password.is_some() || self.email.is_some() || self.sign_out_everywhere
    }

    /// Whether the changes only protect the account: they affect credentials or consent, and nothing else.
    pub(crate) fn is_only_protection(&self) -> bool {
        // The pattern names all fields, so that the compiler asks for a decision about each new field.
        let Self {
            bio,
            consent,
            control,
            language,
            compare,
            imperial,
            newsletter,
            data,
            username,
            password: _,
            verified_hash: _,
            email: _,
            sign_out_everywhere: _,
            test: _,
        } = self;
        let others = bio.is_some()
            || control.is_some()
            || language.is_some()
            || compare.is_some()
            || imperial.is_some()
            || newsletter.is_some()
            || !data.is_empty()
            || username.is_some();
        !others && (self.changes_credentials() || consent.is_some())
    }

    /// Whether the changes send a mail.
    pub(crate) fn sends_mail(&self) -> bool {
        self.password.is_some() || self.email.is_some()
    }

    /// Stores the changes.
    ///
    /// # Errors
    /// The errors of [`Self::check_permission`] and [`EmailChange::store`].
    pub(crate) fn store(&self, db: &Db<'_>, session: &Session, actor: Actor) -> Result<StoredChanges> {
        self.check_permission(actor)?;
        let id = actor.user_id;
        let mut user = users::by_id(db, EntityId::Integer(id))?.ok_or_else(Error::not_found)?;
        if self
            .verified_hash
            .as_ref()
            .is_some_and(|verified_hash| *verified_hash != user.password)
        {
            return Err(WRONG_PASSWORD);
        }
        let before = user.clone();
        let mut stored = StoredChanges::default();
        if let Some(name) = &self.username {
            // An unchanged name stays valid, for clients that send the complete account back: imported names may look alike.
            if *name != user.username && !users::username_available(db, name, id)? {
                stored.refused.push("username".to_owned());
            } else {
                user.username.clone_from(name);
                user.lusername = fold_username(name);
            }
        }
        if !self.merge_data(&mut user) {
            stored.refused.push("data".to_owned());
        }
        self.apply(&mut user);
        // Signing out deletes links to confirm an address: earlier ones, but not the one that this request creates or uses.
        let uses_link = matches!(self.email, Some(EmailChange::Confirm { .. }));
        if self.sign_out_everywhere && !uses_link {
            users::revoke_tokens(db, id, session.now())?;
        }
        if let Some(change) = &self.email {
            let test = self.is_test(session, &before);
            stored.confirmation = change.store(db, session, &mut user, test)?.filter(|_| test);
        }
        if user != before {
            user.updated_at = session.now();
            users::update(db, &user)?;
        }
        if self.password.is_some() && mail_budgets::take(db, Purpose::PasswordNotice, &before.email, session.now())? {
            outbox::insert(
                db,
                &session.mail(Template::PasswordChanged, &before.email, user.language, None),
            )?;
        }
        if self.sign_out_everywhere && uses_link {
            users::revoke_tokens(db, id, session.now())?;
        }
        Ok(stored)
    }

    /// Whether the request is marked as a test, and its current or new address is in the test domain.
    fn is_test(&self, session: &Session, user: &User) -> bool {
        let address = match &self.email {
            Some(EmailChange::Request(address)) => address,
            _ => &user.email,
        };
        self.test
            && [&user.email, address]
                .into_iter()
                .any(|address| session.in_test_domain(address))
    }

    /// Merges `data` into the stored data. Returns false and changes nothing if the result would be too large.
    fn merge_data(&self, user: &mut User) -> bool {
        let mut data = user.data.clone();
        for (name, value) in &self.data {
            data.insert(name.clone(), value.clone());
        }
        if data == user.data {
            return true;
        }
        let data = Value::Object(data);
        let is_within_limits = StoredJson::within_limits(&data).is_some();
        if let Value::Object(data) = data
            && is_within_limits
        {
            user.data = data;
        }
        is_within_limits
    }

    fn apply(&self, user: &mut User) {
        if let Some(bio) = &self.bio {
            user.bio.clone_from(bio);
        }
        user.account_status.consent = self.consent.unwrap_or(user.account_status.consent);
        user.control = self.control.unwrap_or(user.control);
        user.language = self.language.unwrap_or(user.language);
        user.compare = self.compare.unwrap_or(user.compare);
        user.imperial = self.imperial.unwrap_or(user.imperial);
        user.newsletter = self.newsletter.unwrap_or(user.newsletter);
        if let Some(password) = &self.password {
            user.password.clone_from(password);
        }
    }
}
