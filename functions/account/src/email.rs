//! Another e-mail address: asked for and confirmed by `PATCH /account/{auth}`.

use bespoke_core::EntityId;
use bespoke_core::entity::confirmation::{Confirmation, Kind};
use bespoke_core::entity::mail::Template;
use bespoke_core::entity::user::User;
use bespoke_core::validate::{clean_email, is_email};
use bespoke_database::mail_budgets::{self, MOST, Purpose};
use bespoke_database::{Db, confirmations, outbox, users};
use bespoke_web::{Error, Id, JsonObject, Result, Session};
use serde_json::Value;
use uuid::Uuid;

use crate::confirm;

/// The value of `confirm` that goes with it.
const CONFIRM: &str = "emailchange";
/// Names in the confirmation: the address that the account had, and the one that it gets.
const CURRENT: &str = "current";
const NEW: &str = "new";

/// What a request says about the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EmailChange {
    /// This one is wanted.
    Ask(String),
    /// The link in the mail to the new one was opened.
    Confirm { id: Option<EntityId>, check: String },
}

impl EmailChange {
    /// Reads a request. A wanted address goes before a confirmation; one that lacks its id or its check says nothing (decision
    /// D75).
    pub(crate) fn read(body: &JsonObject) -> Option<Self> {
        if let Some(address) = body.get("email").and_then(valid_address) {
            return Some(Self::Ask(address));
        }
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        match (text("confirm"), text("confirmation"), text("check")) {
            (Some(CONFIRM), Some(id), Some(check)) => Some(Self::Confirm {
                id: EntityId::parse(id),
                check: check.to_owned(),
            }),
            _ => None,
        }
    }

    /// Does it; `test` is whether the request is one of a test, in which no mail goes out. Gives the confirmation that was made
    /// or read.
    ///
    /// # Errors
    /// 404 when there is no such confirmation, 409 when somebody else has the address by now.
    pub(crate) fn store(&self, db: &Db<'_>, session: &Session, user: &mut User, test: bool) -> Result<Option<Uuid>> {
        match self {
            Self::Ask(address) if *address == user.email => Ok(None),
            Self::Ask(address) => ask(db, session, user, address, test),
            Self::Confirm { id, check } => confirm(db, session, user, *id, check).map(Some),
        }
    }
}

/// The address, cleaned, when it can be one.
pub(crate) fn valid_address(value: &Value) -> Option<String> {
    value.as_str().map(clean_email).filter(|address| is_email(address))
}

/// Whether somebody has the new address is found out only by who reads its mail.
fn ask(db: &Db<'_>, session: &Session, user: &User, address: &str, test: bool) -> Result<Option<Uuid>> {
    let now = session.now();
    // As few as strangers' mails, whoever the address belongs to; and as few by one account, whatever the addresses.
    let by_account = format!("email change of {}", user.account_status.uuid);
    let allowed = test
        || mail_budgets::take_of(db, MOST, &by_account, now)?
            && mail_budgets::take(db, Purpose::AddressChange, address, now)?;
    if !allowed {
        return Ok(None);
    }
    let data = [(CURRENT, user.email.as_str()), (NEW, address)];
    let data = data.map(|(name, address)| (name.to_owned(), address.into()));
    let asked = confirm::new(
        session,
        Kind::EmailChange,
        user.account_status.id,
        JsonObject::from_iter(data),
    );
    confirmations::insert(db, &asked)?;
    if !test {
        let path = confirm::path(CONFIRM, &asked);
        let language = user.language;
        outbox::insert(db, &session.mail(Template::EmailChange, address, language, Some(&path)))?;
        outbox::insert(
            db,
            &session.mail(Template::EmailChangeAsked, &user.email, language, None),
        )?;
    }
    Ok(Some(asked.uuid))
}

fn confirm(db: &Db<'_>, session: &Session, user: &mut User, id: Option<EntityId>, check: &str) -> Result<Uuid> {
    let id = id.ok_or_else(Error::not_found)?;
    let found = confirm::find(db, Id(id), session.now(), &[Kind::EmailChange])?;
    let address = wanted(&found, user, check).ok_or_else(Error::not_found)?;
    if users::by_email(db, &address)?.is_some_and(|other| other.account_status.id != user.account_status.id) {
        return Err(Error::conflict("emailTaken"));
    }
    confirmations::delete_kind(db, user.account_status.id, Kind::EmailChange)?;
    // Who reads the old address's mail signs in no more.
    for kind in [Kind::SigninLink, Kind::SignupActive] {
        confirmations::delete_kind(db, user.account_status.id, kind)?;
    }
    outbox::insert(
        db,
        &session.mail(Template::EmailChanged, &user.email, user.language, None),
    )?;
    user.email = address;
    Ok(found.uuid)
}

/// The new address, when it is this account's, from this address, and the check is right.
fn wanted(confirmation: &Confirmation, user: &User, check: &str) -> Option<String> {
    let text = |name: &str| confirmation.data.get(name).and_then(Value::as_str);
    let fits = confirmation.user_id == user.account_status.id
        && confirmation.check_matches(check)
        && text(CURRENT) == Some(user.email.as_str());
    text(NEW).filter(|_| fits).map(str::to_owned)
}
