//! [`CommitError`]: the reasons why a change of `head` fails.

use crate::error::Error;
use crate::store::StoreError;
use crate::sync::error::SyncError;

/// The reason why an attempt to change `head` failed or has an unknown outcome.
pub(crate) enum CommitError {
    /// The attempt lost a race, because another process changed `head` or the local copy first; or the PUT succeeded and
    /// its response was lost. `_commits` tells which.
    Lost(String),
    /// The store is busy. Nothing was changed, and a later attempt may succeed.
    Busy(String),
    /// Every other attempt would fail too.
    Failed(Error),
}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::PreconditionFailed | StoreError::Unknown(_) => Self::Lost(error.to_string()),
            StoreError::Busy(detail) => Self::Busy(detail),
            StoreError::Refused(_) | StoreError::Damaged(_) => Self::Failed(error.into()),
        }
    }
}

impl From<Error> for CommitError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable { detail, .. } => Self::Busy(detail),
            other => Self::Failed(other),
        }
    }
}

impl From<SyncError> for CommitError {
    fn from(error: SyncError) -> Self {
        match error {
            // If `head` still names the object, the next full sync reports the damage.
            SyncError::Missing(key) => Self::Lost(format!("{key} is gone")),
            SyncError::Retry => Self::Lost("the local copy has changed".to_owned()),
            SyncError::Failed(error) => error.into(),
        }
    }
}
