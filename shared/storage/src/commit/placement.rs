//! [`Placement`]: decides where a commit stores its delta: in `head`, in segments, or in a new base.

use bytes::Bytes;

use crate::format::delta::Delta;
use crate::format::head::Head;
use crate::limits::{BASE_SWITCH_PERCENT, Tuning};

/// The place where a commit stores its delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// The delta goes into the tail.
    Inline,
    /// The old tail becomes a segment, and the delta goes into the tail.
    SpillTail,
    /// The old tail and the delta become segments.
    SpillAll,
    /// The complete database is written as a new base.
    NewBase,
}

/// Chooses a placement by the sizes of the delta and of the tail. If `head` has `segments_max` segments already, a
/// commit writes a new base instead of another segment.
pub(crate) fn choose(
    head: &Head,
    delta: &Delta,
    encoded_bytes: usize,
    segments_max: usize,
    tuning: &Tuning,
) -> Placement {
    let tail_bytes: usize = head.blobs.iter().map(Bytes::len).sum();
    if is_huge(delta, tuning) {
        return Placement::NewBase;
    }
    let placement = if encoded_bytes > tuning.inline_delta_max_bytes {
        Placement::SpillAll
    } else if tail_bytes + encoded_bytes > tuning.tail_max_bytes {
        Placement::SpillTail
    } else {
        Placement::Inline
    };
    if placement != Placement::Inline && head.json.segments.len() >= segments_max {
        Placement::NewBase
    } else {
        placement
    }
}

/// Returns whether a delta is so large that a new base replaces it. Such a delta need not be encoded.
pub(crate) fn is_huge(delta: &Delta, tuning: &Tuning) -> bool {
    is_worth_a_base(delta.raw_bytes(), delta.page_count, delta.page_size, tuning)
}

/// Returns whether so many changed bytes justify a new base: they exceed an absolute minimum and a share of the
/// database.
pub(crate) fn is_worth_a_base(bytes: u64, page_count: u32, page_size: u32, tuning: &Tuning) -> bool {
    bytes > tuning.base_switch_min_bytes && exceeds_base_share(bytes, page_count, page_size)
}

/// Returns whether `bytes` exceed [`BASE_SWITCH_PERCENT`] of the database.
pub(crate) fn exceeds_base_share(bytes: u64, page_count: u32, page_size: u32) -> bool {
    bytes * 100 > u64::from(page_count) * u64::from(page_size) * BASE_SWITCH_PERCENT
}
