//! Chooses between an incremental and a full sync.

use crate::copy::known_head::KnownHead;
use crate::copy::local_copy::LocalCopy;
use crate::version::Version;

/// The work that brings the local copy to a `head`.
pub(crate) enum SyncPlan {
    /// None: the copy is newer.
    CopyIsNewer,
    /// None: the copy is at this version.
    UpToDate,
    /// The deltas of `head` continue from this version, which is that of the copy.
    Incremental(Version),
    /// The copy is unusable, of another epoch, or older than the base.
    Full,
}

impl SyncPlan {
    pub(crate) fn choose(copy: &LocalCopy, target: &KnownHead) -> Self {
        let (current, wanted) = (copy.version, target.version());
        if copy.is_lost() || current.epoch < wanted.epoch {
            return Self::Full;
        }
        if current > wanted {
            Self::CopyIsNewer
        } else if current == wanted {
            Self::UpToDate
        } else if current.seq >= target.head.json.base.seq {
            Self::Incremental(current)
        } else {
            Self::Full
        }
    }
}
