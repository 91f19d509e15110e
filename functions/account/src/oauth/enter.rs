//! [`sign_in`]: signs in after the provider has confirmed an address, to the account with this address or to a new account.

use bespoke_core::entity::oauth::{OauthIdentity, OauthState};
use bespoke_core::entity::user::{Consent, Status, User};
use bespoke_core::validate::{MAX_USERNAME_CHARS, fold_username, new_username};
use bespoke_core::{EntityId, Role, Timestamp};
use bespoke_database::users::{self, NewUser};
use bespoke_database::{Db, known_networks, oauth_states};
use bespoke_services::oauth::ProviderIdentity;
use bespoke_web::{Error, Result};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::second_factor::CodeAttempt;
use crate::signin::SignInDecision;

/// Default `bio` of a new account if the provider has none.
const NO_BIO: &str = "--";

/// The result of a sign-in. Numbers are integer ids of accounts.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Entered {
    /// Signed in to an existing account.
    In(i64),
    /// Signed in to a new account.
    New(i64),
    /// The account requires a code of the second factor.
    CodeMissing,
    /// The code was wrong.
    CodeWrong,
}

impl Entered {
    /// Returns the decision about the code of the second factor.
    pub(super) fn decision(&self) -> SignInDecision {
        match self {
            Self::In(_) | Self::New(_) => SignInDecision::Admitted,
            Self::CodeMissing => SignInDecision::CodeMissing,
            Self::CodeWrong => SignInDecision::Refused,
        }
    }
}

/// Signs in, and marks the state as used. The state stays valid while only the code of the second factor is missing.
pub(super) fn sign_in(
    db: &Db<'_>,
    state: &OauthState,
    identity: &ProviderIdentity,
    returned: &OauthIdentity,
    code: &CodeAttempt,
    uuid: Uuid,
    now: Timestamp,
) -> Result<Entered> {
    if oauth_states::by_uuid(db, state.uuid)?.is_none() {
        return Err(super::INVALID_STATE);
    }
    let Some(user) = users::by_email(db, &identity.email)? else {
        oauth_states::delete(db, state.uuid)?;
        return Ok(Entered::New(sign_up(db, state, identity, uuid, now)?));
    };
    may_enter(&user)?;
    let refused = match code.check_for_sign_in(db, &user)? {
        SignInDecision::Admitted => {
            oauth_states::delete(db, state.uuid)?;
            known_networks::note(db, user.account_status.id, code.submitted.origin.client, now)?;
            return Ok(Entered::In(user.account_status.id));
        }
        SignInDecision::CodeMissing => Entered::CodeMissing,
        SignInDecision::Refused => Entered::CodeWrong,
    };
    oauth_states::remember(db, state.uuid, returned)?;
    Ok(refused)
}

/// Checks consent, and then the status of the account.
pub(super) fn may_enter(user: &User) -> Result<()> {
    if user.account_status.consent == Consent::None {
        return Err(Error::consent_lacking());
    }
    crate::may_sign_in(user)
}

fn sign_up(db: &Db<'_>, state: &OauthState, identity: &ProviderIdentity, uuid: Uuid, now: Timestamp) -> Result<i64> {
    let new = NewUser {
        uuid,
        email: identity.email.clone(),
        password: crate::signup::NO_PASSWORD.to_owned(),
        role: Role::User,
        status: Status::Inactive,
        consent: Consent::None,
        language: state.language,
        created_at: now,
    };
    let id = users::insert(db, &new)?;
    let mut user = users::by_id(db, EntityId::Integer(id))?.ok_or_else(Error::not_found)?;
    if let Some(name) = free_name(db, &identity.name, id)? {
        user.lusername = fold_username(&name);
        user.username = name;
    }
    user.bio = identity.bio.clone().unwrap_or_else(|| NO_BIO.to_owned());
    for (field, text) in &identity.data {
        user.data.insert((*field).to_owned(), text.as_str().into());
    }
    users::update(db, &user)?;
    Ok(id)
}

/// Returns a free user name: `name`, followed by as many `+` as necessary. `None` if `name` is not a valid user name.
fn free_name(db: &Db<'_>, name: &str, id: i64) -> Result<Option<String>> {
    let Some(mut name) = new_username(name, id) else {
        return Ok(None);
    };
    while name.chars().count() <= MAX_USERNAME_CHARS {
        if users::username_available(db, &name, id)? {
            return Ok(Some(name));
        }
        name.push('+');
    }
    Ok(None)
}
