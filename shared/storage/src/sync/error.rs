//! [`SyncError`]: the reasons why a sync fails.

use crate::error::Error;

/// The reason why an attempt to follow a `head` failed.
pub(crate) enum SyncError {
    /// An object that `head` names is missing. A newer `head` may no longer name it.
    Missing(String),
    /// The local copy has changed meanwhile, or is damaged. Another attempt may succeed.
    Retry,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for SyncError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
