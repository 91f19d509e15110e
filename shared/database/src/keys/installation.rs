//! Writes and checks the mark of the keys with which the database was created. A process with other keys must not start,
//! because it could not decrypt any field or look up any address, and other processes could not read its writes.

use rusqlite::named_params;
use uuid::Uuid;

use crate::connection::{Columns, Db};
use crate::content::seeds;
use crate::error::{Error, Result};

const TABLE: &str = "installation";

/// Checks that the keys are those of the database. `None` if the database is new and has no mark yet.
///
/// # Errors
/// [`Error::OtherKeys`] when the keys differ.
pub(crate) fn check(db: &Db<'_>) -> Result<Option<()>> {
    db.first(
        "SELECT uuid, sealed, email_index FROM installation WHERE id = 1",
        [],
        |db, row: &mut Columns<'_>| {
            let uuid: Uuid = row.take()?;
            let opened = db
                .vault
                .row(TABLE, uuid)
                .open("sealed", row)
                .map_err(|_| Error::OtherKeys)?;
            let index: [u8; 32] = row.take()?;
            if opened == uuid.to_string() && db.vault.email_hashes(&opened).any(|hash| hash == index) {
                Ok(())
            } else {
                Err(Error::OtherKeys)
            }
        },
    )
}

/// Marks a new database with the keys of this process, and inserts the seeds.
///
/// # Errors
/// [`Error::OtherKeys`] when another process with other keys was first.
pub(crate) fn claim(db: &Db<'_>) -> Result<()> {
    if check(db)?.is_some() {
        return Ok(());
    }
    mark(db)?;
    seeds::plant(db)
}

/// Inserts the mark of the keys.
pub(crate) fn mark(db: &Db<'_>) -> Result<()> {
    let uuid = db.vault.random().uuid();
    db.insert(
        "INSERT INTO installation (id, uuid, sealed, email_index) VALUES (1, :uuid, :sealed, :email_index)",
        named_params! {
            ":uuid": uuid,
            ":sealed": db.vault.row(TABLE, uuid).seal("sealed", &uuid.to_string()),
            ":email_index": db.vault.index().email(&uuid.to_string()),
        },
    )?;
    Ok(())
}
