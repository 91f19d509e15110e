//! Attempts at passwords, codes and checks that failed, or that have been reserved and may still fail. The subject of an attempt and its
//! origin are stored as keyed hashes.
//!
//! An attempt is inserted before the password is hashed or the code is compared, so that attempts that run at the same time count
//! for each other, also in other processes. An attempt that succeeds is deleted.

use bespoke_core::{ClientNetwork, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Db, Result, known_networks};

/// How long an attempt counts, in milliseconds.
pub const WINDOW_MS: i64 = 15 * 60 * 1000;
/// Attempts from one network of a customer within [`WINDOW_MS`] that lock a subject for that network.
pub const FROM_ONE_CUSTOMER: i64 = 10;
/// Attempts from one site (the /48 of IPv6) that lock a subject for that site.
pub const FROM_ONE_SITE: i64 = 30;
/// Attempts from everywhere that lock a subject for all networks from which its owner has not signed in before.
pub const FROM_EVERYWHERE: i64 = 100;

/// The target of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A name as it was typed, cleaned, whether an account has it or not.
    Name(&'a str),
    /// An account, under any of its names.
    Account(i64),
    /// Stands for the account if no account has that name, so that both cases do the same work.
    Nobody(&'a str),
    /// The second factor of an account.
    SecondFactor(i64),
    /// The check of a link in a mail.
    Confirmation(Uuid),
}

impl Subject<'_> {
    fn entry(self, db: &Db<'_>) -> [u8; 32] {
        let text = match self {
            Self::Name(name) => format!("name {name}"),
            Self::Account(id) => format!("account {id}"),
            Self::Nobody(name) => format!("nobody {name}"),
            Self::SecondFactor(id) => format!("second factor {id}"),
            Self::Confirmation(uuid) => format!("confirmation {uuid}"),
        };
        db.vault.index().entry("failed sign-in", &text)
    }

    /// A name is locked for single networks only: locked for all, it would tell that many try it.
    fn is_locked_for_all(self) -> bool {
        !matches!(self, Self::Name(_))
    }
}

/// Attempts that count now.
#[derive(Default)]
struct Counts {
    /// From the customer's network.
    customer: i64,
    /// From the site.
    site: i64,
    /// From everywhere.
    everywhere: i64,
}

/// Origin and time of an attempt.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// Where it comes from.
    pub client: ClientNetwork,
    /// When.
    pub now: Timestamp,
}

/// An attempt that was counted. If it turns out to be right, [`Reserved::release`] takes it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    id: i64,
    /// Whether it locks the subject for all if it fails.
    pub locks: bool,
}

/// Counts an attempt at `subject`, which belongs to the account `owner`. `None` if the subject is locked: then even the right
/// answer must not be looked at. Attempts at a locked subject are not counted, so they do not make the lock last longer.
///
/// # Errors
/// [`crate::Error`] when the table cannot be read or written.
pub fn reserve(db: &Db<'_>, subject: Subject<'_>, owner: Option<i64>, origin: Origin) -> Result<Option<Reserved>> {
    let counts = count(db, subject, origin)?;
    if locks(db, &counts, subject, owner, origin)? {
        return Ok(None);
    }
    let (customer, site) = client_entries(db, origin.client);
    let id = db.insert(
        "INSERT INTO failed_signins (subject, client, site, failed_at) VALUES (?1, ?2, ?3, ?4)",
        (subject.entry(db), customer, site, origin.now.as_millis()),
    )?;
    let locks = subject.is_locked_for_all() && counts.everywhere + 1 == FROM_EVERYWHERE;
    Ok(Some(Reserved { id, locks }))
}

/// Whether the subject is locked for that client.
///
/// # Errors
/// [`crate::Error`] when the table cannot be read.
pub fn is_locked(db: &Db<'_>, subject: Subject<'_>, owner: Option<i64>, origin: Origin) -> Result<bool> {
    locks(db, &count(db, subject, origin)?, subject, owner, origin)
}

impl Reserved {
    /// Takes the attempt back, because it was right. Does nothing if the row is gone.
    ///
    /// # Errors
    /// [`crate::Error`] when the row cannot be removed.
    pub fn release(self, db: &Db<'_>, subject: Subject<'_>) -> Result<()> {
        db.run(
            "DELETE FROM failed_signins WHERE id = ?1 AND subject = ?2",
            (self.id, subject.entry(db)),
        )?;
        Ok(())
    }
}

fn locks(db: &Db<'_>, counts: &Counts, subject: Subject<'_>, owner: Option<i64>, origin: Origin) -> Result<bool> {
    if counts.customer >= FROM_ONE_CUSTOMER || counts.site >= FROM_ONE_SITE {
        return Ok(true);
    }
    if !subject.is_locked_for_all() || counts.everywhere < FROM_EVERYWHERE {
        return Ok(false);
    }
    let Some(owner) = owner else { return Ok(true) };
    Ok(!known_networks::contains(db, owner, origin.client, origin.now)?)
}

fn count(db: &Db<'_>, subject: Subject<'_>, Origin { client, now }: Origin) -> Result<Counts> {
    let (customer, site) = client_entries(db, client);
    let counts = db.first(
        "SELECT coalesce(sum(client = ?2), 0), coalesce(sum(site = ?3), 0), count(*) FROM failed_signins
         WHERE subject = ?1 AND failed_at > ?4",
        (subject.entry(db), customer, site, now.plus_ms(-WINDOW_MS).as_millis()),
        |_, row| {
            Ok(Counts {
                customer: row.take()?,
                site: row.take()?,
                everywhere: row.take()?,
            })
        },
    )?;
    Ok(counts.unwrap_or_default())
}

fn client_entries(db: &Db<'_>, client: ClientNetwork) -> ([u8; 32], [u8; 32]) {
    let entry = |kind, address: std::net::IpAddr| db.vault.index().entry(kind, &address.to_string());
    (entry("client", client.customer), entry("site", client.site))
}

/// Deletes the attempts that no longer count.
pub(crate) fn purge(db: &Db<'_>, now: Timestamp) -> Result<usize> {
    db.run(
        "DELETE FROM failed_signins WHERE failed_at <= ?1",
        [now.plus_ms(-WINDOW_MS).as_millis()],
    )
}
