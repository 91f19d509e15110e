//! Sign-ins that failed, by what was tried and from where. Neither is kept in clear.

use std::net::IpAddr;

use bespoke_core::Timestamp;

use crate::{Db, Result};

/// How long a failure counts, in milliseconds.
pub const WINDOW_MS: i64 = 15 * 60 * 1000;

/// What somebody tried to get into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A name as it was typed, cleaned, whether anybody has it or not.
    Name(&'a str),
    /// An account, under whichever of its names.
    Account(i64),
    /// What would be the account if somebody had that name: it is counted like one.
    Nobody(&'a str),
    /// The second factor of an account.
    SecondFactor(i64),
}

impl Subject<'_> {
    fn entry(self, db: &Db<'_>) -> [u8; 32] {
        let text = match self {
            Self::Name(name) => format!("name {name}"),
            Self::Account(id) => format!("account {id}"),
            Self::Nobody(name) => format!("nobody {name}"),
            Self::SecondFactor(id) => format!("second factor {id}"),
        };
        db.vault.index().entry("failed sign-in", &text)
    }
}

fn client_entry(db: &Db<'_>, client: IpAddr) -> [u8; 32] {
    db.vault.index().entry("client", &client.to_string())
}

/// Stores a failure.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn insert(db: &Db<'_>, subject: Subject<'_>, client: IpAddr, now: Timestamp) -> Result<()> {
    db.insert(
        "INSERT INTO failed_signins (subject, client, failed_at) VALUES (?1, ?2, ?3)",
        (subject.entry(db), client_entry(db, client), now.as_millis()),
    )?;
    Ok(())
}

/// How many failures count now: those from that client, and those from everywhere.
///
/// # Errors
/// [`crate::Error`] when the table cannot be read.
pub fn count(db: &Db<'_>, subject: Subject<'_>, client: IpAddr, now: Timestamp) -> Result<(i64, i64)> {
    let counts = db.first(
        "SELECT coalesce(sum(client = ?2), 0), count(*) FROM failed_signins WHERE subject = ?1 AND failed_at > ?3",
        (
            subject.entry(db),
            client_entry(db, client),
            now.plus_ms(-WINDOW_MS).as_millis(),
        ),
        |_, row| Ok((row.take()?, row.take()?)),
    )?;
    Ok(counts.unwrap_or_default())
}

/// Forgets the failures that count no more.
pub(crate) fn purge(db: &Db<'_>, now: Timestamp) -> Result<usize> {
    db.run(
        "DELETE FROM failed_signins WHERE failed_at <= ?1",
        [now.plus_ms(-WINDOW_MS).as_millis()],
    )
}
