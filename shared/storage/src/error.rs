//! What can go wrong, in as few kinds as a caller can act on.

use crate::store::StoreError;

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
    /// SQLite refused: a constraint that is checked at COMMIT, a full disk.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
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
    /// The closure of a write rolled back the whole transaction (`ON CONFLICT ROLLBACK`, a full disk) or left it.
    #[error("the write left its transaction: {0}")]
    LeftTransaction(String),
    /// The local copy could not be read or written.
    #[error("local copy: {0}")]
    Local(#[from] std::io::Error),
    /// The engine was closed.
    #[error("the engine is closed")]
    Closed,
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
