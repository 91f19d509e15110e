//! Encrypts and inserts imported accounts, API keys, confirmations and subscribers.

use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::entity::confirmation::Confirmation;
use bespoke_core::entity::subscriber::Subscriber;
use bespoke_core::entity::user::User;
use bespoke_core::{Timestamp, TotpSecret};
use rusqlite::named_params;

use crate::accounts::users::IHASH_BYTES;
use crate::accounts::{api_keys, confirmations, second_factors, users};
use crate::connection::Db;
use crate::error::Result;
use crate::mail::subscribers;

/// Inserts an account with its id. Returns the change that was necessary, if any.
pub(super) fn user(
    db: &Db<'_>,
    user: &User,
    totp: Option<&TotpSecret>,
    now: Timestamp,
) -> Result<Option<&'static str>> {
    let mut change = None;
    let (mut username, mut lusername) = (user.username.clone(), user.lusername.clone());
    if users::username_taken(db, &lusername, user.account_status.id)? {
        change = Some("its user name belongs to another account; it was replaced by the UUID");
        username = user.account_status.uuid.to_string();
        lusername.clone_from(&username);
    }
    let mut ihash = user.ihash.clone();
    if users::by_ihash(db, &ihash)?.is_some() {
        change = Some("another account has the same ihash; it was replaced by a new one");
        ihash = db.vault.random().hex::<IHASH_BYTES>();
    }
    let vault = db.vault.row("users", user.account_status.uuid);
    // A creation time in the future must not make all tokens invalid until then.
    let tokens_from = user.account_status.created_at.min(now);
    db.insert(
        "INSERT INTO users (id, uuid, username, lusername, email_index, email, initial, bio, data, ihash, password, role,
           status, consent, control, compare, imperial, newsletter, language, patron, mfa_enabled, jwt_calls,
           key_calls, last_seen, tokens_from, created_at, updated_at)
         VALUES (:id, :uuid, :username, :lusername, :email_index, :email, :initial, :bio, :data, :ihash, :password, :role,
           :status, :consent, :control, :compare, :imperial, :newsletter, :language, :patron, :mfa_enabled, :jwt_calls,
           :key_calls, :last_seen, :tokens_from, :created_at, :updated_at)",
        named_params! {
            ":id": user.account_status.id,
            ":uuid": user.account_status.uuid,
            ":username": username,
            ":lusername": lusername,
            ":email_index": db.vault.index().email(&user.email),
            ":email": vault.seal("email", &user.email),
            ":initial": vault.seal("initial", &user.initial),
            ":bio": vault.seal("bio", &user.bio),
            ":data": vault.seal_json("data", &user.data),
            ":ihash": ihash,
            ":password": user.password,
            ":role": user.account_status.role.name(),
            ":status": user.account_status.status as i64,
            ":consent": user.account_status.consent as i64,
            ":control": user.control,
            ":compare": user.compare,
            ":imperial": user.imperial,
            ":newsletter": user.newsletter,
            ":language": user.language.code(),
            ":patron": user.patron,
            ":mfa_enabled": user.mfa_enabled,
            ":jwt_calls": user.jwt_calls,
            ":key_calls": user.key_calls,
            ":last_seen": user.last_seen.map(Timestamp::as_millis),
            ":tokens_from": tokens_from.as_seconds() * users::SECOND_MS,
            ":created_at": user.account_status.created_at.as_millis(),
            ":updated_at": user.updated_at.as_millis(),
        },
    )?;
    users::set_skeletons(db, user.account_status.id, &username)?;
    if let Some(totp) = totp {
        second_factors::insert(db, &user.account_status, totp)?;
    }
    Ok(change)
}

/// Inserts an API key and its counted requests.
pub(super) fn api_key(db: &Db<'_>, key: &ApiKey) -> Result<()> {
    api_keys::insert(db, key)?;
    db.run(
        "UPDATE api_keys SET calls = ?2, last_seen = ?3 WHERE uuid = ?1",
        (key.uuid, key.calls, key.last_seen.map(Timestamp::as_millis)),
    )?;
    Ok(())
}

/// Inserts a confirmation without removing others of its kind.
pub(super) fn confirmation(db: &Db<'_>, confirmation: &Confirmation) -> Result<()> {
    confirmations::add(db, confirmation)
}

/// Inserts a subscriber with its state.
pub(super) fn subscriber(db: &Db<'_>, subscriber: &Subscriber, updated_at: Timestamp) -> Result<()> {
    let Subscriber {
        uuid,
        email,
        language,
        active,
        created_at,
        ..
    } = subscriber;
    subscribers::insert(db, *uuid, email, *language, *created_at)?;
    subscribers::update(db, *uuid, *language, *active, updated_at)
}
