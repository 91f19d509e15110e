//! Budgets for mails that are sent because of a request: a number of mails an hour for each purpose and mailbox.
//!
//! Each purpose has its own budget, so that requests for one kind of mail never suppress another kind. Mails with
//! which an owner signs in have two limits: a low one for the requests of one site, and a higher one for the requests
//! of all strangers. A network from which the owner has signed in before has a separate budget, which strangers cannot
//! use up.

use bespoke_core::validate::{clean_email, mailbox};
use bespoke_core::{ClientNetwork, Timestamp};

use crate::connection::Db;
use crate::error::Result;

/// How long a mail counts, in milliseconds.
pub const WINDOW_MS: i64 = 60 * 60 * 1000;
/// The maximum number of mails of one purpose to one mailbox within [`WINDOW_MS`].
pub const MAX_MAILS: i64 = 3;
/// The maximum number of mails of one purpose within [`WINDOW_MS`] that strangers at all sites may request, if the
/// owner signs in with these mails.
pub const MAX_FROM_ALL_SITES: i64 = 10;

/// The purpose of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A link that signs in.
    SigninLink,
    /// A link that confirms a new account, or the notice that the account already exists.
    SignUp,
    /// A subscription to the newsletter.
    Newsletter,
    /// A link that ends a subscription to the newsletter.
    Unsubscription,
    /// A link that confirms the new address of an account.
    AddressChange,
    /// The notice that an account is locked.
    LockNotice,
    /// The notice that the password was changed.
    PasswordNotice,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::SigninLink => "sign-in link",
            Self::SignUp => "sign-up",
            Self::Newsletter => "newsletter",
            Self::Unsubscription => "unsubscription",
            Self::AddressChange => "address change",
            Self::LockNotice => "lock notice",
            Self::PasswordNotice => "password notice",
        }
    }
}

/// Takes one mail to that address out of the budget of its purpose. Returns false if the budget is used up. Text that
/// is not an address, for example a user name, is counted in the same way, so that both cases do the same work.
///
/// # Errors
/// [`crate::Error`] when the table cannot be read or written.
pub fn take(db: &Db<'_>, purpose: Purpose, address: &str, now: Timestamp) -> Result<bool> {
    let recipient = mailbox(&clean_email(address));
    let max_mails = if purpose == Purpose::LockNotice { 1 } else { MAX_MAILS };
    take_of(db, max_mails, &format!("{} {recipient}", purpose.name()), now)
}

/// Takes one mail out of the budget of a purpose with which the owner of the mailbox signs in. `known_to` is the
/// integer id of the account if it has signed in from this client before.
///
/// # Errors
/// As [`take`].
pub fn take_from(
    db: &Db<'_>,
    purpose: Purpose,
    address: &str,
    client: ClientNetwork,
    known_to: Option<i64>,
    now: Timestamp,
) -> Result<bool> {
    let recipient = mailbox(&clean_email(address));
    let name = purpose.name();
    if let Some(user_id) = known_to {
        return take_of(db, MAX_MAILS, &of_network(purpose, user_id, client), now);
    }
    let subject = entry(db, &format!("{name} {recipient}"));
    let site = db.vault.index().entry("site", &client.site.to_string());
    let counts: Option<(i64, i64)> = db.first(
        "SELECT coalesce(sum(site = ?2), 0), count(*) FROM strangers_mails WHERE recipient = ?1 AND asked_at > ?3",
        (subject, site, now.plus_ms(-WINDOW_MS).as_millis()),
        |_, row| Ok((row.take()?, row.take()?)),
    )?;
    let (from_site, from_all) = counts.unwrap_or_default();
    if from_site >= MAX_MAILS || from_all >= MAX_FROM_ALL_SITES {
        return Ok(false);
    }
    insert(db, &subject, &site, now)?;
    Ok(true)
}

/// Takes one mail out of the budget with the name `subject`, which allows `max_mails` mails within [`WINDOW_MS`]. Returns
/// false if the budget is used up.
///
/// # Errors
/// As [`take`].
pub fn take_of(db: &Db<'_>, max_mails: i64, subject: &str, now: Timestamp) -> Result<bool> {
    let subject = entry(db, subject);
    let count: Option<i64> = db.first(
        "SELECT count(*) FROM strangers_mails WHERE recipient = ?1 AND asked_at > ?2",
        (subject, now.plus_ms(-WINDOW_MS).as_millis()),
        |_, row| Ok(row.take()?),
    )?;
    if count.unwrap_or_default() >= max_mails {
        return Ok(false);
    }
    insert(db, &subject, &[], now)?;
    Ok(true)
}

/// Resets the budgets of a purpose, because the owner has used a mail of that purpose.
///
/// # Errors
/// [`crate::Error`] when the rows cannot be removed.
pub fn refill(db: &Db<'_>, purpose: Purpose, address: &str, user_id: i64, client: ClientNetwork) -> Result<()> {
    let of_strangers = format!("{} {}", purpose.name(), mailbox(&clean_email(address)));
    for subject in [of_strangers, of_network(purpose, user_id, client)] {
        let sql = "DELETE FROM strangers_mails WHERE recipient = ?1";
        db.run(sql, [entry(db, &subject)])?;
    }
    Ok(())
}

fn of_network(purpose: Purpose, user_id: i64, client: ClientNetwork) -> String {
    format!("{} of {user_id} from {}", purpose.name(), client.customer)
}

/// Deletes mails that no longer count.
pub(crate) fn purge(db: &Db<'_>, now: Timestamp) -> Result<usize> {
    db.run(
        "DELETE FROM strangers_mails WHERE asked_at <= ?1",
        [now.plus_ms(-WINDOW_MS).as_millis()],
    )
}

fn insert(db: &Db<'_>, subject: &[u8], site: &[u8], now: Timestamp) -> Result<()> {
    db.insert(
        "INSERT INTO strangers_mails (recipient, site, asked_at) VALUES (?1, ?2, ?3)",
        (subject, site, now.as_millis()),
    )?;
    Ok(())
}

fn entry(db: &Db<'_>, subject: &str) -> [u8; 32] {
    db.vault.index().entry("mail budget", subject)
}
