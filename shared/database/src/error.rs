//! [`Error`]: the errors of the database layer.

use bespoke_core::CipherError;
use bespoke_storage::Version;
use uuid::Uuid;

/// Result of a repository function.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the database layer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine could not read or write.
    #[error(transparent)]
    Storage(#[from] bespoke_storage::Error),
    /// The database was created with other keys than those of this process.
    #[error(
        "the database was made with other keys: put back the key file that it was made with, or set BACKEND_ENC_KEY (and \
         BACKEND_DATA_KEY and BACKEND_INDEX_KEY, where they were set) to what it was; after a rotation of keys, to the new one"
    )]
    OtherKeys,
    /// The state to restore has other keys than this process.
    #[error(
        "state {0} has other keys, because the keys were rotated between then and now. Nothing was restored. To restore it, stop every process, \
         set BACKEND_ENC_KEY to the passphrase of that time, run the command again, and start the processes with that passphrase"
    )]
    OtherKeysInState(Version),
    /// A restore of a backup is incomplete, so the database is too.
    #[error(
        "a backup is being put back here, and the database is incomplete until `bespoke restore --from` has come to its end. If \
         it was interrupted, run `bespoke restore --from` again with the same backup (SHA-256 of its database.sqlite: {backup})"
    )]
    Incomplete {
        /// SHA-256 of the backup's database, in hexadecimal.
        backup: String,
    },
    /// The value of a unique column is taken. Contains the name of the column.
    #[error("{0} is taken")]
    Taken(String),
    /// The row that a page of a list should begin after does not exist.
    #[error("the position in the list does not exist")]
    NoSuchPlace,
    /// Accounts exist, but the operation needs a database without any.
    #[error("there are accounts already")]
    NotEmpty,
    /// The table has rows, but the operation needs an empty one.
    #[error("there are rows in {0} already")]
    InUse(String),
    /// SQLite rejected a statement.
    #[error(transparent)]
    Sqlite(rusqlite::Error),
    /// An encrypted column could not be decrypted.
    #[error("{table}.{column} of {row}: {source}")]
    Field {
        /// Name of the table.
        table: &'static str,
        /// Name of the column.
        column: &'static str,
        /// UUID of the row.
        row: Uuid,
        /// The cause.
        source: CipherError,
    },
    /// This version does not know the stored value.
    #[error("{table}.{column} of {row} contains a value that this version does not know")]
    Unknown {
        /// Name of the table.
        table: &'static str,
        /// Name of the column.
        column: &'static str,
        /// UUID of the row.
        row: Uuid,
    },
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::SqliteFailure(failure, Some(message))
                if failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE =>
            {
                // SQLite writes: UNIQUE constraint failed: table.column
                Self::Taken(message.rsplit(' ').next().unwrap_or_default().to_owned())
            }
            _ => match error.into() {
                bespoke_storage::Error::Sqlite(error) => Self::Sqlite(error),
                disk => Self::Storage(disk),
            },
        }
    }
}
