//! Decides when a compaction is worthwhile ([`has_huge_segments`], [`has_large_segments`]), and which segments it
//! merges ([`mergeable_segments`]).

use crate::commit::placement;
use crate::format::head::{HeadJson, Segment};
use crate::limits::{MERGED_MAX_BYTES, Tuning};

/// Returns whether the segments are large both in absolute terms and compared with the database, so that little of the
/// base remains unchanged.
pub(crate) fn has_huge_segments(head: &HeadJson, tuning: &Tuning) -> bool {
    placement::is_worth_a_base(segment_bytes(head), head.page_count, head.page_size, tuning)
}

/// Returns whether the segments are large compared with the database, however small the database is.
pub(crate) fn has_large_segments(head: &HeadJson) -> bool {
    placement::exceeds_base_share(segment_bytes(head), head.page_count, head.page_size)
}

fn segment_bytes(head: &HeadJson) -> u64 {
    head.segments.iter().map(|segment| segment.len).sum()
}

/// Returns the youngest segments that are worth merging into one.
///
/// A segment that is more than twice as large as all younger ones together is left alone. Therefore each byte is
/// rewritten only a few times.
pub(crate) fn mergeable_segments(segments: &[Segment]) -> &[Segment] {
    let mut merged_bytes = 0;
    let mut first = segments.len();
    for (index, segment) in segments.iter().enumerate().rev() {
        let is_large = merged_bytes > 0 && segment.len > 2 * merged_bytes;
        if is_large || merged_bytes + segment.len > MERGED_MAX_BYTES {
            break;
        }
        merged_bytes += segment.len;
        first = index;
    }
    &segments[first..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::head_edit::tests::with_segments;

    #[test]
    fn young_segments_are_merged_unless_an_older_one_is_large() {
        let count = |lens: &[u64]| mergeable_segments(&with_segments(lens).json.segments).len();
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&[1, 1, 1]), 3);
        assert_eq!(count(&[100, 1, 1, 1]), 3);
        assert_eq!(count(&[6, 1, 1, 1]), 4);
        assert_eq!(count(&[MERGED_MAX_BYTES, 5, 4]), 2);
    }
}
