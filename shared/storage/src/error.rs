//! What can go wrong, in as few kinds as a caller can act on.

use std::io::ErrorKind;

use rusqlite::ErrorCode;

use crate::store::StoreError;
use crate::timeline::State;
use crate::version::Version;

/// Every failure of the engine. The text of each is for the log; it holds no data of a row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store did not answer in time, or too many writes wait. HTTP 503. For a write the outcome is UNKNOWN, not
    /// refused: repeating it with the same commit id is safe.
    #[error("storage is unavailable: {detail}")]
    Unavailable {
        /// When to try again. Milliseconds.
        retry_after_ms: u64,
        /// For the log.
        detail: String,
    },
    /// A read ran longer than [`crate::Options::read_timeout_ms`] and was stopped. HTTP 503.
    #[error("a read was stopped after {limit_ms} ms")]
    ReadTimeout {
        /// The limit that was passed. Milliseconds.
        limit_ms: u64,
    },
    /// The store or the engine refuses for good; the text names what to do.
    #[error("storage refused: {0}")]
    Refused(String),
    /// The database needs newer code than this (format, `min_reader` or `min_writer`).
    #[error("this code is too old for the database: {0}")]
    Unsupported(String),
    /// Something in the store is damaged or missing; the text names the object and what to do.
    #[error("the stored database is damaged: {0}")]
    Corrupt(String),
    /// SQLite refused: a constraint that is checked at COMMIT, as a rule.
    #[error("SQLite: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// What a write wanted to leave for its replay, or its commit id, is too long.
    #[error("{what} is {bytes} bytes long, at most {limit} are allowed")]
    TooLarge {
        /// What is too long.
        what: &'static str,
        /// How long it is. Bytes.
        bytes: usize,
        /// How long it may be. Bytes.
        limit: usize,
    },
    /// The closure of a write rolled back the whole transaction (`ON CONFLICT ROLLBACK`) or left it, and returned no error.
    #[error("the write left its transaction: {0}")]
    LeftTransaction(String),
    /// The local copy could not be read or written. HTTP 503: the machine needs somebody.
    #[error("local copy: {0}{advice}", advice = advice(.0.kind()))]
    Local(#[from] std::io::Error),
    /// A restore was asked for a state that cannot be restored.
    #[error("{0}")]
    NotRestorable(NotRestorable),
    /// The engine was closed.
    #[error("the engine is closed")]
    Closed,
}

/// Why a state cannot be restored. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotRestorable {
    /// The moment has not come.
    #[error("{wanted_ms} ms lies in the future: it is {now_ms} ms")]
    Future {
        /// The moment.
        wanted_ms: u64,
        /// The present.
        now_ms: u64,
    },
    /// Nothing from so early is kept.
    #[error("{wanted_ms} ms lies before the first state that can be restored, of {first_ms:?} ms")]
    BeforeFirst {
        /// The moment.
        wanted_ms: u64,
        /// When the first state that can be restored was committed; `None` if no state is dated.
        first_ms: Option<u64>,
    },
    /// There was no such state, or nothing of its epoch is kept.
    #[error("{0} is no state that can be restored")]
    Unknown(Version),
    /// The states between these two are not kept one by one.
    #[error("the states between {} and {} are not kept", .before.version, .after.version)]
    Between {
        /// The last one before them that can be restored.
        before: State,
        /// The first one after them that can be restored.
        after: State,
    },
    /// Objects that the state consists of are gone.
    #[error("an object of state {version} is gone: {key}")]
    Gone {
        /// The state.
        version: Version,
        /// The object.
        key: String,
    },
}

impl Error {
    /// The usual way to say "try again".
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::Unavailable {
            retry_after_ms: crate::limits::RETRY_AFTER_MS,
            detail: detail.into(),
        }
    }

    /// True where waiting may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::ReadTimeout { .. })
    }
}

/// What somebody has to do about a disk that does not take or give what it should; empty where waiting may help.
pub(crate) fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => ": make room on that disk",
        ErrorKind::ReadOnlyFilesystem => ": mount that disk for writing",
        ErrorKind::PermissionDenied => ": let this process read and write there",
        ErrorKind::NotADirectory | ErrorKind::IsADirectory => ": something else has that name, choose another folder",
        _ => "",
    }
}

impl From<rusqlite::Error> for Error {
    /// What is the disk's fault is told apart from what is the statement's.
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

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::PreconditionFailed | StoreError::Busy(_) | StoreError::Unknown(_) => {
                Self::unavailable(error.to_string())
            }
            StoreError::Refused(detail) => Self::Refused(detail),
            StoreError::Damaged(detail) => Self::Corrupt(detail),
        }
    }
}
