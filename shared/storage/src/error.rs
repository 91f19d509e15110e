//! [`Error`]: the errors of the engine, in as few kinds as a caller can act on.

use std::io::ErrorKind;

use rusqlite::ErrorCode;

use crate::disk::advice;
use crate::version::{DatedVersion, Version};

/// An error of the engine. Its text is for the log and contains no data of a row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store did not respond in time, or too many writes wait. HTTP 503. The outcome of a write is unknown.
    /// Repeating it with the same commit id is safe.
    #[error("storage is unavailable: {detail}")]
    Unavailable {
        /// Time after which to try again, in milliseconds.
        retry_after_ms: u64,
        /// The reason, for the log.
        detail: String,
    },
    /// A read was stopped after [`crate::Options::read_timeout_ms`]. HTTP 503.
    #[error("a read was stopped after {limit_ms} ms")]
    ReadTimeout {
        /// The limit, in milliseconds.
        limit_ms: u64,
    },
    /// The store or the engine rejects the request permanently. The text names the remedy.
    #[error("storage refused: {0}")]
    Refused(String),
    /// The database needs newer code, because of its format, `min_reader` or `min_writer`.
    #[error("this code is too old for the database: {0}")]
    Unsupported(String),
    /// An object in the store is damaged or missing. The text names the object and the remedy.
    #[error("the stored database is damaged: {0}")]
    Corrupt(String),
    /// An error of SQLite, usually a constraint that is checked at COMMIT.
    #[error("SQLite: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// The value of a write or its commit id is too long.
    #[error("{name} is {bytes} bytes long, at most {limit} are allowed")]
    TooLarge {
        /// Name of the value.
        name: &'static str,
        /// Its length, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The closure of a write ended its transaction, for example by `ON CONFLICT ROLLBACK`, and returned no error.
    #[error("the write left its transaction: {0}")]
    LeftTransaction(String),
    /// The local copy could not be read or written. HTTP 503. An operator has to repair the machine.
    #[error("local copy: {0}{advice}", advice = advice(.0.kind()))]
    Local(#[from] std::io::Error),
    /// The requested state cannot be restored.
    #[error("{0}")]
    NotRestorable(NotRestorable),
    /// The engine was closed.
    #[error("the engine is closed")]
    Closed,
}

/// The reason why a state cannot be restored. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotRestorable {
    /// The requested time is in the future.
    #[error("{wanted_ms} ms is in the future: it is {now_ms} ms")]
    Future {
        /// The requested time.
        wanted_ms: u64,
        /// The current time.
        now_ms: u64,
    },
    /// No state of the requested time is kept.
    #[error("{wanted_ms} ms is before the first state that can be restored, of {first_ms:?} ms")]
    BeforeFirst {
        /// The requested time.
        wanted_ms: u64,
        /// Commit time of the first state that can be restored. `None` if no commit time is known.
        first_ms: Option<u64>,
    },
    /// The state never existed, or no state of its epoch is kept.
    #[error("{0} is not a state that can be restored")]
    Unknown(Version),
    /// The states between these two are not kept one by one.
    #[error("the states between {} and {} are not kept", .before.version, .after.version)]
    Between {
        /// The last state before the gap.
        before: DatedVersion,
        /// The first state after the gap.
        after: DatedVersion,
    },
    /// An object of the state is missing.
    #[error("an object of state {version} is missing: {key}")]
    Gone {
        /// The state.
        version: Version,
        /// Key of the object.
        key: String,
    },
}

impl Error {
    /// Returns [`Error::Unavailable`] with the usual time to wait.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::Unavailable {
            retry_after_ms: crate::limits::RETRY_AFTER_MS,
            detail: detail.into(),
        }
    }

    /// Returns [`Error::Corrupt`] for a damaged object.
    pub(crate) fn damaged(key: &str, detail: &str) -> Self {
        Self::Corrupt(format!("{key}: {detail}. Restore the object"))
    }

    /// Returns whether waiting may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::ReadTimeout { .. })
    }
}

impl From<rusqlite::Error> for Error {
    /// Distinguishes errors of the disk from errors of a statement.
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Local(std::io::Error::new(ErrorKind::StorageFull, error)),
            Some(ErrorCode::CannotOpen) => Self::Local(std::io::Error::new(ErrorKind::NotFound, error)),
            Some(ErrorCode::SystemIoFailure) => Self::Local(std::io::Error::other(format!(
                "{error}: is that disk full, or failing?"
            ))),
            _ => Self::Sqlite(error),
        }
    }
}
