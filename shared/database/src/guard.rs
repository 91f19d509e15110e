//! [`Guard`]: rejects reads and writes of a process whose keys another process has replaced, and writes to a database while the restore
//! of a backup is incomplete.
//!
//! The mark of the keys and the mark of a restore are rows. They are read inside each write transaction. A commit that
//! loses a race runs again on the newest version, so that it sees marks that another process has just written. The two
//! lookups by integer key, one short decryption and one HMAC take a few microseconds. Reads check the keys once per
//! version of the database.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use bespoke_storage::Version;

use crate::backup::restore;
use crate::connection::Db;
use crate::error::{Error, Result};
use crate::keys::installation;

/// The source of a write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteSource {
    /// A restore of a backup.
    Restore,
    /// Any other write.
    Any,
}

/// The checks of one process.
#[derive(Default)]
pub(crate) struct Guard {
    /// The last version whose keys were compared with those of the process.
    checked_version: Mutex<Version>,
    /// Whether the database was found to have other keys.
    has_other_keys: AtomicBool,
}

impl Guard {
    /// Admits a read of this version if the keys of the process are those of the database.
    ///
    /// # Errors
    /// [`Error::OtherKeys`]
    pub(crate) fn admit_read(&self, db: &Db<'_>, version: Version) -> Result<()> {
        if *self.checked_version.lock().unwrap_or_else(PoisonError::into_inner) == version {
            return Ok(());
        }
        self.check_keys(db)?;
        *self.checked_version.lock().unwrap_or_else(PoisonError::into_inner) = version;
        Ok(())
    }

    /// Admits a write if the keys of the process are those of the database, and no restore of a backup is incomplete.
    ///
    /// # Errors
    /// [`Error::OtherKeys`]; [`Error::Incomplete`] unless the write is part of the restore.
    pub(crate) fn admit_write(&self, db: &Db<'_>, source: WriteSource) -> Result<()> {
        self.check_keys(db)?;
        match source {
            WriteSource::Restore => Ok(()),
            WriteSource::Any => restore::check_complete(db),
        }
    }

    /// Returns whether the database was found to have other keys since the last call.
    pub(crate) fn take_other_keys(&self) -> bool {
        self.has_other_keys.swap(false, Ordering::Relaxed)
    }

    fn check_keys(&self, db: &Db<'_>) -> Result<()> {
        let mark = installation::check(db);
        if matches!(mark, Err(Error::OtherKeys)) {
            self.has_other_keys.store(true, Ordering::Relaxed);
        }
        // A new database has no mark yet, and accepts the keys of the process.
        mark.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{with_database, with_other_keys};

    #[test]
    fn incomplete_database_accepts_only_writes_of_the_restore() {
        with_database(|db| {
            let guard = Guard::default();
            installation::mark(db).unwrap();
            guard.admit_write(db, WriteSource::Any).unwrap();
            restore::begin(db, &[0xab; 32], "users").unwrap();
            guard.admit_write(db, WriteSource::Restore).unwrap();
            let refused = guard.admit_write(db, WriteSource::Any).unwrap_err().to_string();
            assert!(
                refused.contains(&"ab".repeat(32)) && refused.contains("bespoke restore --from"),
                "{refused}"
            );
            restore::finish(db, &[]).unwrap();
            guard.admit_write(db, WriteSource::Any).unwrap();
        });
    }

    #[test]
    fn other_keys_are_refused_and_reported_once() {
        with_database(|db| {
            installation::mark(db).unwrap();
            with_other_keys(db, |other| {
                let guard = Guard::default();
                let version = Version { epoch: 1, seq: 2 };
                for writer in [WriteSource::Any, WriteSource::Restore] {
                    assert!(matches!(guard.admit_write(other, writer), Err(Error::OtherKeys)));
                }
                assert!(guard.take_other_keys() && !guard.take_other_keys());
                for _ in 0..2 {
                    assert!(matches!(guard.admit_read(other, version), Err(Error::OtherKeys)));
                }
            });
        });
    }
}
