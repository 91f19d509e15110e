//! Repository of the networks from which an account has signed in, as keyed hashes. The account-wide lock and the mail
//! budget of strangers do not apply to these networks, so that a stranger cannot lock an owner out.

use std::net::Ipv6Addr;

use bespoke_core::{BlindIndex, ClientNetwork, Timestamp};

use crate::connection::Db;
use crate::error::Result;

/// The maximum number of networks per account. A further one replaces the least recently used.
pub const MOST: u32 = 16;
/// How long networks are remembered after the last sign-in, in milliseconds.
pub const KEPT_MS: i64 = 180 * 24 * 60 * 60 * 1000;
/// The age at which the time of the last sign-in is written again, in milliseconds. Younger times need no write.
const REFRESH_MS: i64 = 24 * 60 * 60 * 1000;

/// Whether the address of a client could be read. All others share the address `::`, so it identifies no network. The addresses of its /64
/// are reserved, so that only `::1`, this machine, is treated in the same way.
fn is_known(client: ClientNetwork) -> bool {
    client.customer != Ipv6Addr::UNSPECIFIED
}

/// Remembers that the account has signed in from that network, unless the address of the client could not be read.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn note(db: &Db<'_>, user_id: i64, client: ClientNetwork, now: Timestamp) -> Result<()> {
    if !is_known(client) {
        return Ok(());
    }
    db.run(
        "INSERT INTO known_networks (user_id, network, last_at) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET last_at = excluded.last_at WHERE last_at < excluded.last_at - ?4",
        (
            user_id,
            entry(db.vault.index(), user_id, client),
            now.as_millis(),
            REFRESH_MS,
        ),
    )?;
    db.run(
        "DELETE FROM known_networks WHERE user_id = ?1 AND network IN
           (SELECT network FROM known_networks WHERE user_id = ?1 ORDER BY last_at DESC LIMIT -1 OFFSET ?2)",
        (user_id, MOST),
    )?;
    Ok(())
}

/// Returns whether the account has signed in from that network within [`KEPT_MS`]. False if the address of the client could not be read,
/// also if an older version has remembered it.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn contains(db: &Db<'_>, user_id: i64, client: ClientNetwork, now: Timestamp) -> Result<bool> {
    if !is_known(client) {
        return Ok(false);
    }
    for index in db.vault.index_keys() {
        let found = db.first(
            "SELECT 1 FROM known_networks WHERE user_id = ?1 AND network = ?2 AND last_at > ?3",
            (
                user_id,
                entry(index, user_id, client),
                now.plus_ms(-KEPT_MS).as_millis(),
            ),
            |_, _| Ok(()),
        )?;
        if found.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deletes networks that were not used for [`KEPT_MS`].
pub(crate) fn purge(db: &Db<'_>, now: Timestamp) -> Result<usize> {
    db.run(
        "DELETE FROM known_networks WHERE last_at <= ?1",
        [now.plus_ms(-KEPT_MS).as_millis()],
    )
}

/// Returns the keyed hash of a network. It includes the account, so that the table does not reveal that accounts share a
/// network.
fn entry(index: &BlindIndex, user_id: i64, client: ClientNetwork) -> [u8; 32] {
    index.entry("known network", &format!("{user_id} {}", client.customer))
}
