//! Mails that somebody unknown had sent to an address: so many an hour, whoever asks and wherever from.

use bespoke_core::Timestamp;

use crate::{Db, Result};

/// Most mails in [`WINDOW_MS`].
pub const MOST: i64 = 3;
/// How long a mail counts, in milliseconds.
pub const WINDOW_MS: i64 = 60 * 60 * 1000;

/// Whether one more mail may go to that address; then it is counted. A name that no account has is counted like an address, so
/// that both are the same work.
///
/// # Errors
/// [`crate::Error`] when the table cannot be read or written.
pub fn one_more(db: &Db<'_>, recipient: &str, now: Timestamp) -> Result<bool> {
    one_more_of(db, MOST, recipient, now)
}

/// The same where another number may go, because somebody who is known has them sent.
///
/// # Errors
/// As [`one_more`].
pub fn one_more_of(db: &Db<'_>, most: i64, recipient: &str, now: Timestamp) -> Result<bool> {
    let recipient = db.vault.index().email(recipient);
    let sent: Option<i64> = db.first(
        "SELECT count(*) FROM strangers_mails WHERE recipient = ?1 AND asked_at > ?2",
        (recipient, now.plus_ms(-WINDOW_MS).as_millis()),
        |_, row| Ok(row.take()?),
    )?;
    if sent.unwrap_or_default() >= most {
        return Ok(false);
    }
    db.insert(
        "INSERT INTO strangers_mails (recipient, asked_at) VALUES (?1, ?2)",
        (recipient, now.as_millis()),
    )?;
    Ok(true)
}

/// Forgets the mails that count no more.
pub(crate) fn purge(db: &Db<'_>, now: Timestamp) -> Result<usize> {
    db.run(
        "DELETE FROM strangers_mails WHERE asked_at <= ?1",
        [now.plus_ms(-WINDOW_MS).as_millis()],
    )
}
