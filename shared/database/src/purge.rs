//! [`expired`]: deletes the expired rows of all tables.

use bespoke_core::Timestamp;
use bespoke_core::entity::confirmation::ConfirmationKind;

use crate::accounts::{known_networks, oauth_states};
use crate::connection::Db;
use crate::error::Result;
use crate::mail::{mail_budgets, outbox, subscribers};

/// How long version 0.1 counts a failed attempt to sign in, in milliseconds.
const OLD_ATTEMPTS_MS: i64 = 15 * 60 * 1000;

/// Deletes expired confirmations, accounts and subscriptions that were never confirmed, mails that were given up, and expired counts.
/// Returns the number of deleted rows.
///
/// # Errors
/// [`crate::Error`] when a row cannot be removed.
pub fn expired(db: &Db<'_>, now: Timestamp) -> Result<usize> {
    let mut deleted = 0;
    for kind in ConfirmationKind::ALL {
        deleted += db.run(
            "DELETE FROM confirmations WHERE kind = ?1 AND created_at <= ?2",
            (kind.name(), now.plus_ms(-kind.life_ms()).as_millis()),
        )?;
    }
    deleted += never_confirmed(db, now)?;
    deleted += old_attempts(db, now)?;
    deleted += known_networks::purge(db, now)?;
    deleted += mail_budgets::purge(db, now)?;
    deleted += oauth_states::purge(db, now)?;
    deleted += outbox::purge(db, now)?;
    deleted += subscribers::purge(db, now)?;
    Ok(deleted)
}

/// Deletes the failed attempts that version 0.1 has counted. Later versions count attempts in objects of the bucket.
fn old_attempts(db: &Db<'_>, now: Timestamp) -> Result<usize> {
    db.run(
        "DELETE FROM failed_signins WHERE failed_at <= ?1",
        [now.plus_ms(-OLD_ATTEMPTS_MS).as_millis()],
    )
}

/// Deletes accounts that were not confirmed in time. An account that was used and then made inactive stays. It is
/// recognised by its last visit, or by a password, a key or a set.
fn never_confirmed(db: &Db<'_>, now: Timestamp) -> Result<usize> {
    db.run(
        "DELETE FROM users WHERE status = 0 AND created_at <= ?1 AND consent = 0 AND last_seen IS NULL AND password = ''
           AND NOT EXISTS (SELECT 1 FROM confirmations WHERE confirmations.user_id = users.id)
           AND NOT EXISTS (SELECT 1 FROM api_keys WHERE api_keys.user_id = users.id)
           AND NOT EXISTS (SELECT 1 FROM sets WHERE sets.user_id = users.id)",
        [now.plus_ms(-ConfirmationKind::Signup.life_ms()).as_millis()],
    )
}
