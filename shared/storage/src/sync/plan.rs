//! [`SyncPlan`]: chooses between an incremental and a full sync.

use crate::copy::known_head::KnownHead;
use crate::copy::local_copy::LocalCopy;
use crate::version::Version;

/// The work that brings the local copy to a `head`.
pub(crate) enum SyncPlan {
    /// No work, because the copy is newer.
    CopyIsNewer,
    /// No work, because the copy is at the version of `head`.
    UpToDate,
    /// Apply the deltas of `head` after this version, which is that of the copy.
    Incremental(Version),
    /// Replace the copy, because it is unusable, of another epoch, or older than the base.
    Full,
}

impl SyncPlan {
    pub(crate) fn choose(copy: &LocalCopy, target: &KnownHead) -> Self {
        let (current, target_version) = (copy.version, target.version());
        if copy.is_lost() || current.epoch < target_version.epoch {
            return Self::Full;
        }
        if current > target_version {
            Self::CopyIsNewer
        } else if current == target_version {
            Self::UpToDate
        } else if current.seq >= target.head.json.base.seq {
            Self::Incremental(current)
        } else {
            Self::Full
        }
    }
}
