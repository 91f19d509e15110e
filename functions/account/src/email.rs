//! [`EmailChange`]: a change of the e-mail address by `PATCH /account/{auth}`, which is first requested, and then confirmed with a link
//! by mail.

use bespoke_core::EntityId;
use bespoke_core::entity::confirmation::{Confirmation, ConfirmationKind};
use bespoke_core::entity::mail::Template;
use bespoke_core::entity::user::User;
use bespoke_core::validate::{clean_email, is_email};
use bespoke_database::mail_budgets::{self, MAX_MAILS, Purpose};
use bespoke_database::{Db, confirmations, outbox, users};
use bespoke_web::{Error, Id, JsonObject, Result, Session};
use serde_json::Value;
use uuid::Uuid;

use crate::confirm;

/// The value of `confirm` that confirms a change of the address.
const CONFIRM: &str = "emailchange";
/// Fields of the confirmation's data: the address before the change, and the new address.
const CURRENT: &str = "current";
const NEW: &str = "new";

/// A change of the address, as a request contains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EmailChange {
    /// Requests a change to this address.
    Request(String),
    /// Confirms a change with the link from the mail to the new address.
    Confirm { id: Option<EntityId>, check: String },
}

impl EmailChange {
    /// Parses a request. A new address takes precedence over a confirmation. A confirmation without its id or its check is ignored.
    pub(crate) fn read(body: &JsonObject) -> Option<Self> {
        if let Some(address) = body.get("email").and_then(valid_address) {
            return Some(Self::Request(address));
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

    /// Stores the request or the confirmation of a change. Returns the confirmation that was created or used. No mail is sent if `test`
    /// is set.
    ///
    /// # Errors
    /// 404 if there is no such confirmation, 409 if another account has the address now.
    pub(crate) fn store(&self, db: &Db<'_>, session: &Session, user: &mut User, test: bool) -> Result<Option<Uuid>> {
        match self {
            Self::Request(address) if *address == user.email => Ok(None),
            Self::Request(address) => request(db, session, user, address, test),
            Self::Confirm { id, check } => confirm(db, session, user, *id, check).map(Some),
        }
    }
}

/// Returns the cleaned address if it is valid.
fn valid_address(value: &Value) -> Option<String> {
    value.as_str().map(clean_email).filter(|address| is_email(address))
}

/// Sends a mail to the new address. Only the reader of that mailbox learns whether the address belongs to another account, because
/// the response is the same in both cases.
fn request(db: &Db<'_>, session: &Session, user: &User, address: &str, test: bool) -> Result<Option<Uuid>> {
    let now = session.now();
    // The mails count against two budgets: that of mails from strangers to this mailbox, and that of the account for all addresses.
    let by_account = format!("email change of {}", user.account_status.uuid);
    let allowed = test
        || mail_budgets::take_of(db, MAX_MAILS, &by_account, now)?
            && mail_budgets::take(db, Purpose::AddressChange, address, now)?;
    if !allowed {
        return Ok(None);
    }
    let data = [(CURRENT, user.email.as_str()), (NEW, address)];
    let data = data.map(|(name, address)| (name.to_owned(), address.into()));
    let confirmation = confirm::new(
        session,
        ConfirmationKind::EmailChange,
        user.account_status.id,
        JsonObject::from_iter(data),
    );
    confirmations::insert(db, &confirmation)?;
    if !test {
        let path = confirm::path(CONFIRM, &confirmation);
        let language = user.language;
        outbox::insert(db, &session.mail(Template::EmailChange, address, language, Some(&path)))?;
        outbox::insert(
            db,
            &session.mail(Template::EmailChangeAsked, &user.email, language, None),
        )?;
    }
    Ok(Some(confirmation.uuid))
}

fn confirm(db: &Db<'_>, session: &Session, user: &mut User, id: Option<EntityId>, check: &str) -> Result<Uuid> {
    let id = id.ok_or_else(Error::not_found)?;
    let found = confirm::find(db, Id(id), session.now(), &[ConfirmationKind::EmailChange])?;
    let address = confirmed_address(&found, user, check).ok_or_else(Error::not_found)?;
    if users::by_email(db, &address)?.is_some_and(|other| other.account_status.id != user.account_status.id) {
        return Err(Error::conflict("emailTaken"));
    }
    confirmations::delete_kind(db, user.account_status.id, ConfirmationKind::EmailChange)?;
    // The reader of the old mailbox can no longer sign in with a link.
    for kind in [ConfirmationKind::SigninLink, ConfirmationKind::SignupActive] {
        confirmations::delete_kind(db, user.account_status.id, kind)?;
    }
    outbox::insert(
        db,
        &session.mail(Template::EmailChanged, &user.email, user.language, None),
    )?;
    user.email = address;
    Ok(found.uuid)
}

/// Returns the new address if the confirmation belongs to this account and its current address, and the check is right.
fn confirmed_address(confirmation: &Confirmation, user: &User, check: &str) -> Option<String> {
    let text = |name: &str| confirmation.data.get(name).and_then(Value::as_str);
    let is_valid = confirmation.user_id == user.account_status.id
        && confirmation.check_matches(check)
        && text(CURRENT) == Some(user.email.as_str());
    text(NEW).filter(|_| is_valid).map(str::to_owned)
}
