//! Which keys the database was made with. A process with other keys could open no field and find no address, and what it
//! wrote could be read by nobody else: it must not start.

use rusqlite::named_params;
use uuid::Uuid;

use crate::row::Columns;
use crate::{Db, Error, Result, seeds};

const TABLE: &str = "installation";

/// Whether the keys are those of the database; `None` when it is new and knows none yet.
///
/// # Errors
/// [`Error::OtherKeys`] when they are others.
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
            if opened == uuid.to_string() && db.vault.email_entries(&opened).any(|entry| entry == index) {
                Ok(())
            } else {
                Err(Error::OtherKeys)
            }
        },
    )
}

/// Makes these the keys of a new database, and puts into it what it begins with.
///
/// # Errors
/// [`Error::OtherKeys`] when another process was first, with others.
pub(crate) fn claim(db: &Db<'_>) -> Result<()> {
    if check(db)?.is_some() {
        return Ok(());
    }
    mark(db)?;
    seeds::plant(db)
}

/// Notes which keys the database is made with.
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
