//! Deletes expired rows.

use bespoke_core::Timestamp;
use bespoke_core::entity::confirmation::ConfirmationKind;

use crate::accounts::{known_networks, oauth_states};
use crate::connection::Db;
use crate::error::Result;
use crate::mail::{mail_budgets, outbox};

/// Version 0.1 counts an attempt for this time, in milliseconds.
const OLD_ATTEMPTS_MS: i64 = 15 * 60 * 1000;

/// Deletes expired confirmations, accounts that were never confirmed, mails that were given up, and expired counts.
/// Returns the number of deleted rows.
///
/// # Errors
/// [`crate::Error`] when a row cannot be removed.
pub fn expired(db: &Db<'_>, now: Timestamp) -> Result<usize> {
    let mut gone = 0;
    for kind in ConfirmationKind::ALL {
        gone += db.run(
            "DELETE FROM confirmations WHERE kind = ?1 AND created_at <= ?2",
            (kind.name(), now.plus_ms(-kind.life_ms()).as_millis()),
        )?;
    }
    gone += never_confirmed(db, now)?;
    gone += old_attempts(db, now)?;
    gone += known_networks::purge(db, now)?;
    gone += mail_budgets::purge(db, now)?;
    gone += oauth_states::purge(db, now)?;
    gone += outbox::purge(db, now)?;
    Ok(gone)
}

/// Deletes the attempts at passwords and codes that version 0.1 has counted. Later versions count them in objects of
/// the bucket.
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
