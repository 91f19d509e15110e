//! `PATCH /account/{auth}`

use axum::response::Response;
use bespoke_core::entity::mail::Template;
use bespoke_core::entity::user::{Consent, User};
use bespoke_core::permission::{Actor, Denied};
use bespoke_core::validate::{Language, clean_username, fold_username};
use bespoke_core::{EntityId, Level, MAX_PASSWORD_BYTES};
use bespoke_database::{Db, outbox, users};
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Body, Caller, Error, JsonObject, Outcome, Result, Session, ok, view};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Highest `control`: everything is shown.
const MAX_CONTROL: f64 = 5.0;
/// The longest text about oneself, in bytes.
const MAX_BIO_BYTES: usize = 64 * 1024;
/// The largest `data` of an account, as JSON, in bytes.
const MAX_DATA_BYTES: usize = 256 * 1024;
const WRONG_PASSWORD: Error = Error::unauthorized("authenticationFailed");
/// Fields that clients send beside others, and that are no mistake.
const SILENT: [&str; 2] = ["test", "currentPassword"];

/// The fields of a request that can be taken.
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
    password: Option<String>,
    /// The stored password that the current one was verified against.
    verified: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ChangedAccount)]
pub(crate) struct Answer {
    result: Outcome,
    account: view::Account,
    /// Names of the fields that were sent and not taken.
    ignored: Vec<String>,
}

/// Changes of an account; what is left out stays.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct AccountChanges {
    /// About oneself, as Markdown, at most 64 KiB.
    bio: Option<String>,
    /// Level 4: see `PATCH /consent/jwt`.
    #[schema(maximum = 3)]
    consent: Option<u8>,
    /// How much of the interface to show.
    #[schema(minimum = 1, maximum = 5)]
    control: Option<u8>,
    /// Language of mails: en, de, es, fr, nl or uk.
    #[schema(example = "nl")]
    language: Option<String>,
    /// Whether to be compared with others' measurements.
    compare: Option<bool>,
    /// Whether one measures in inches.
    imperial: Option<bool>,
    /// Whether one wants the newsletter.
    newsletter: Option<bool>,
    /// Whatever a client keeps; merged over what is there, at most 256 KiB in all.
    #[schema(value_type = Option<HashMap<String, Value>>)]
    data: Option<JsonObject>,
    /// 2 to 64 characters, no `@`, not digits alone. Left out when somebody has it.
    #[schema(example = "Jane")]
    username: Option<String>,
    /// Level 4: at most 1024 bytes.
    password: Option<String>,
    /// Verified when it is sent with a new password.
    current_password: Option<String>,
}

/// Change one's account
///
/// What cannot be taken never fails the request: `ignored` names it. Password and consent need level 4.
#[utoipa::path(patch, path = "/account/{auth}", tag = "Accounts", operation_id = "updateAccount", request_body = AccountChanges,
    responses(
        (status = 200, description = "The account as it is now.", body = Answer),
        (status = 401, description = "`authenticationFailed`: the current password is another."),
        (status = 404, description = "The account was removed while the call was under way."),
    ))]
pub(crate) async fn update(caller: Caller<WRITE_SOME>, session: Session, body: Body) -> Result<Response> {
    let current_password = body.0.get("currentPassword").cloned();
    let (mut changes, mut ignored) = Changes::read(body.0);
    let id = caller.actor.user_id;
    changes.check_level(caller.actor)?;
    if let Some(password) = changes.password.take() {
        changes.verified = verify_current(&session, id, current_password).await?;
        changes.password = Some(session.hash_password(password).await?);
    }
    let password_changed = changes.password.is_some();
    let writer = session.clone();
    ignored.extend(
        caller
            .write(&session, move |db, actor| changes.store(db, &writer, actor))
            .await?,
    );
    if password_changed {
        session.deliver_mail().await;
    }
    let account = crate::load(&session, id).await?.into();
    Ok(ok(&Answer {
        result: Outcome::Success,
        account,
        ignored,
    }))
}

/// Nobody knows the random first password, so the current one need not be sent; when it is, it is checked. Gives the
/// stored text that it belongs to.
async fn verify_current(session: &Session, id: i64, current: Option<Value>) -> Result<Option<String>> {
    let Some(current) = current else { return Ok(None) };
    let stored = crate::load(session, id).await?.password;
    let current = current.as_str().unwrap_or_default().to_owned();
    let verified = session.verify_password(current, Some(stored.clone())).await?;
    verified.map(|_| Some(stored)).ok_or(WRONG_PASSWORD)
}

impl Changes {
    /// Reads a request; beside the changes gives the names of the fields that were not taken (decision D80).
    pub(crate) fn read(body: JsonObject) -> (Self, Vec<String>) {
        let (mut changes, mut ignored) = (Self::default(), Vec::new());
        for (field, value) in body {
            if !changes.take(&field, value) && !SILENT.contains(&field.as_str()) {
                ignored.push(field);
            }
        }
        (changes, ignored)
    }

    fn take(&mut self, field: &str, value: Value) -> bool {
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
            ("data", Value::Object(data)) => self.data = data,
            ("username", Value::String(name)) => {
                self.username = clean_username(&name);
                return self.username.is_some();
            }
            ("password", Value::String(password)) if (1..=MAX_PASSWORD_BYTES).contains(&password.len()) => {
                self.password = Some(password);
            }
            _ => return false,
        }
        true
    }

    /// Who may sign in as the owner, and what the owner has agreed to, is not for keys that only write (defect D39).
    fn check_level(&self, actor: Actor) -> Result<()> {
        let sensitive = self.password.is_some() || self.consent.is_some();
        if sensitive && actor.level < Level::USER {
            Err(Denied.into())
        } else {
            Ok(())
        }
    }

    /// Stores the changes; gives the names of the fields that the account as it is now does not let in.
    pub(crate) fn store(&self, db: &Db<'_>, session: &Session, actor: Actor) -> Result<Vec<String>> {
        self.check_level(actor)?;
        let id = actor.user_id;
        let mut user = users::by_id(db, EntityId::Integer(id))?.ok_or_else(Error::not_found)?;
        if self
            .verified
            .as_ref()
            .is_some_and(|verified| *verified != user.password)
        {
            return Err(WRONG_PASSWORD);
        }
        let before = user.clone();
        let mut ignored = Vec::new();
        if let Some(name) = &self.username {
            if users::username_taken(db, name, id)? {
                ignored.push("username".to_owned());
            } else {
                user.username.clone_from(name);
                user.lusername = fold_username(name);
            }
        }
        if !self.merge_data(&mut user) {
            ignored.push("data".to_owned());
        }
        self.apply(&mut user);
        if user != before {
            user.updated_at = session.now();
            users::update(db, &user)?;
        }
        if self.password.is_some() {
            outbox::insert(
                db,
                &session.mail(Template::PasswordChanged, &user.email, user.language, None),
            )?;
        }
        Ok(ignored)
    }

    /// Merges `data` over what is there; leaves that alone when the whole would be too large.
    fn merge_data(&self, user: &mut User) -> bool {
        let mut data = user.data.clone();
        for (name, value) in &self.data {
            data.insert(name.clone(), value.clone());
        }
        let fits = data == user.data || serde_json::to_string(&data).is_ok_and(|text| text.len() <= MAX_DATA_BYTES);
        if fits {
            user.data = data;
        }
        fits
    }

    fn apply(&self, user: &mut User) {
        if let Some(bio) = &self.bio {
            user.bio.clone_from(bio);
        }
        user.standing.consent = self.consent.unwrap_or(user.standing.consent);
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
