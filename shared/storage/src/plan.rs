//! Decides, without touching anything, what the next `head` looks like.

use bytes::Bytes;
use serde_json::Map;

use crate::delta::Delta;
use crate::head::{Base, FullHead, Head, Lock, Segment, Stamp, TailEntry};
use crate::job::SchemaEdit;
use crate::limits::{BASE_SWITCH_PERCENT, MERGED_MAX_BYTES, Tuning};

/// Where the new delta goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Into the tail.
    Inline,
    /// Into the tail, after what was there became a segment.
    SpillTail,
    /// Into a segment of its own, after what was in the tail became another.
    SpillAll,
    /// Nowhere: the whole database is written as a new base.
    NewBase,
}

/// What a commit moved out of `head`.
pub(crate) enum Moved {
    Nothing,
    Tail(Segment),
    /// The last one holds the new delta.
    All(Vec<Segment>),
    Base(Base),
}

/// A commit, ready to become a `head`.
pub(crate) struct Change {
    pub(crate) moved: Moved,
    /// The new delta, encoded.
    pub(crate) delta: Bytes,
    pub(crate) page_count: u32,
    pub(crate) checksum: u64,
    pub(crate) schema: Option<SchemaEdit>,
    pub(crate) nonce: String,
    /// When it is made. Milliseconds since 1970.
    pub(crate) at_ms: u64,
}

/// Whether a delta is worth a new base: then nobody needs it encoded.
pub(crate) fn is_huge(delta: &Delta, tuning: &Tuning) -> bool {
    is_worth_a_base(delta.raw_bytes(), delta.page_count, delta.page_size, tuning)
}

/// Whether segments are: then there is little in the base that they leave as it was.
pub(crate) fn are_huge(head: &Head, tuning: &Tuning) -> bool {
    is_worth_a_base(segment_bytes(head), head.page_count, head.page_size, tuning)
}

/// Whether segments are large for the database, be it as small as it may.
pub(crate) fn are_large(head: &Head) -> bool {
    is_large(segment_bytes(head), head.page_count, head.page_size)
}

fn segment_bytes(head: &Head) -> u64 {
    head.segments.iter().map(|segment| segment.len).sum()
}

fn is_worth_a_base(bytes: u64, page_count: u32, page_size: u32, tuning: &Tuning) -> bool {
    bytes > tuning.base_switch_min_bytes && is_large(bytes, page_count, page_size)
}

fn is_large(bytes: u64, page_count: u32, page_size: u32) -> bool {
    bytes * 100 > u64::from(page_count) * u64::from(page_size) * BASE_SWITCH_PERCENT
}

/// Chooses by the size of the delta. Beyond so many segments there is a new base.
pub(crate) fn way(head: &FullHead, delta: &Delta, encoded_bytes: usize, segments_max: usize, tuning: &Tuning) -> Way {
    let tail_bytes: usize = head.blobs.iter().map(Bytes::len).sum();
    if is_huge(delta, tuning) {
        return Way::NewBase;
    }
    let way = if encoded_bytes > tuning.inline_delta_max_bytes {
        Way::SpillAll
    } else if tail_bytes + encoded_bytes > tuning.tail_max_bytes {
        Way::SpillTail
    } else {
        Way::Inline
    };
    if way != Way::Inline && head.json.segments.len() >= segments_max {
        Way::NewBase
    } else {
        way
    }
}

/// The `head` after a commit. It holds no lock.
pub(crate) fn next(head: &FullHead, change: Change) -> FullHead {
    let mut next = head.clone();
    let json = &mut next.json;
    let from = json.seq;
    json.seq += 1;
    json.nonce = change.nonce;
    json.page_count = change.page_count;
    json.checksum = change.checksum;
    json.lock = None;
    if let Some(edit) = change.schema {
        json.schema = json.schema.max(edit.schema);
        json.min_reader = json.min_reader.max(edit.min_reader);
        json.min_writer = json.min_writer.max(edit.min_writer);
    }
    let stamp = Stamp {
        // Clocks may be turned back; a search by time needs an order.
        at_ms: change.at_ms.max(stamp_of(json).at_ms),
        schema: json.schema,
    };
    let inline = match change.moved {
        Moved::Nothing => true,
        Moved::Tail(segment) => {
            json.tail.clear();
            next.blobs.clear();
            json.segments.push(segment);
            true
        }
        Moved::All(segments) => {
            json.tail.clear();
            next.blobs.clear();
            json.segments.extend(segments);
            *last_stamp_of(json) = stamp;
            false
        }
        Moved::Base(base) => {
            json.tail.clear();
            next.blobs.clear();
            json.segments.clear();
            json.base = Base { stamp, ..base };
            false
        }
    };
    if inline {
        json.tail.push(TailEntry {
            from,
            to: json.seq,
            len: change.delta.len() as u64,
            stamp,
            unknown: Map::new(),
        });
        next.blobs.push(change.delta);
    }
    next
}

/// The same state on a base that holds a part of what led to it. It holds no lock.
///
/// A delta leads to its last state from its first and from every one after it, so one that begins before the base and ends after
/// it goes on from the base.
pub(crate) fn with_base(head: &FullHead, base: Base, nonce: String) -> FullHead {
    let mut next = with_lock(head, None, nonce);
    let json = &mut next.json;
    json.segments.retain(|segment| segment.to > base.seq);
    let outlived = json.tail.iter().filter(|entry| entry.to <= base.seq).count();
    json.tail.drain(..outlived);
    next.blobs.drain(..outlived);
    let tail = json.tail.iter_mut().map(|entry| &mut entry.from);
    if let Some(from) = json
        .segments
        .iter_mut()
        .map(|segment| &mut segment.from)
        .chain(tail)
        .next()
    {
        *from = base.seq;
    }
    json.base = base;
    next
}

/// The same state with one segment in place of those of the names `keys`, which follow one another. It holds no lock. Nothing where
/// `head` does not name all of them.
pub(crate) fn with_segment(head: &FullHead, segment: &Segment, keys: &[String], nonce: String) -> Option<FullHead> {
    let mut next = with_lock(head, None, nonce);
    let segments = &mut next.json.segments;
    let first = segments.iter().position(|segment| Some(&segment.key) == keys.first())?;
    let replaced = segments.get(first..first + keys.len())?;
    if !replaced.iter().map(|segment| &segment.key).eq(keys) {
        return None;
    }
    let from = segments[first].from;
    segments.splice(
        first..first + keys.len(),
        [Segment {
            from,
            ..segment.clone()
        }],
    );
    Some(next)
}

/// The youngest segments, as far as it is worth it to make one of them: an older one that is more than twice as large as all that
/// are younger is not written again, so nothing is written again more than a few times.
pub(crate) fn young(segments: &[Segment]) -> &[Segment] {
    let (mut bytes, mut first) = (0, segments.len());
    for (index, segment) in segments.iter().enumerate().rev() {
        let is_large = bytes > 0 && segment.len > 2 * bytes;
        if is_large || bytes + segment.len > MERGED_MAX_BYTES {
            break;
        }
        (bytes, first) = (bytes + segment.len, index);
    }
    &segments[first..]
}

/// The states that `head` can be cut back to, itself included: their numbers, and when they were committed. The state 0 is the empty
/// file, before there was a database.
pub(crate) fn cuts(head: &FullHead) -> Vec<(u64, u64)> {
    let json = &head.json;
    let mut cuts = vec![(json.base.seq, json.base.stamp.at_ms)];
    cuts.extend(json.segments.iter().map(|segment| (segment.to, segment.stamp.at_ms)));
    cuts.extend(json.tail.iter().map(|entry| (entry.to, entry.stamp.at_ms)));
    cuts
}

/// `head` without what came after the state `seq`, one of its [`cuts`]. Its page count and checksum are still to be found.
pub(crate) fn cut(head: &FullHead, seq: u64) -> FullHead {
    let mut cut = head.clone();
    let json = &mut cut.json;
    json.segments.retain(|segment| segment.to <= seq);
    json.tail.retain(|entry| entry.to <= seq);
    cut.blobs.truncate(json.tail.len());
    json.seq = seq;
    json.schema = stamp_of(json).schema;
    cut
}

/// The same, to be changed: a restore puts a state back at another time than it was first committed.
pub(crate) fn last_stamp_of(head: &mut Head) -> &mut Stamp {
    let segment = head.segments.last_mut().map(|segment| &mut segment.stamp);
    let tail = head.tail.last_mut().map(|entry| &mut entry.stamp);
    tail.or(segment).unwrap_or(&mut head.base.stamp)
}

/// What is known of the last state in `head`.
pub(crate) fn stamp_of(head: &Head) -> Stamp {
    let segment = head.segments.last().map(|segment| segment.stamp);
    let tail = head.tail.last().map(|entry| entry.stamp);
    tail.or(segment).unwrap_or(head.base.stamp)
}

/// The same `head`, in which nothing from before `floor_ms` can be named anew. It holds no lock.
pub(crate) fn with_floor(head: &FullHead, floor_ms: u64, nonce: String) -> FullHead {
    let mut next = with_lock(head, None, nonce);
    next.json.floor_ms = floor_ms;
    next
}

/// The same `head` with another lock.
pub(crate) fn with_lock(head: &FullHead, lock: Option<Lock>, nonce: String) -> FullHead {
    let mut next = head.clone();
    next.json.lock = lock;
    next.json.nonce = nonce;
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::tests::sample;

    fn base(seq: u64) -> Base {
        Base {
            id: "new".to_owned(),
            seq,
            ..sample().json.base
        }
    }

    /// What is left of a segment from 0 to 2 and a tail entry from 2 to 3.
    fn left_on(seq: u64) -> String {
        let next = with_base(&sample(), base(seq), "nonce".to_owned());
        FullHead::decode(&next.encode().unwrap()).expect("a head without a gap");
        let segments = next
            .json
            .segments
            .iter()
            .map(|it| format!("segment {} to {}", it.from, it.to));
        let tail = next.json.tail.iter().map(|it| format!("tail {} to {}", it.from, it.to));
        segments.chain(tail).collect::<Vec<_>>().join(", ")
    }

    fn segments(lens: &[u64]) -> FullHead {
        let mut head = sample();
        let one = head.json.segments[0].clone();
        let segment = |(index, len): (usize, &u64)| Segment {
            key: format!("segment/{index}"),
            from: index as u64,
            to: index as u64 + 1,
            len: *len,
            ..one.clone()
        };
        head.json.segments = lens.iter().enumerate().map(segment).collect();
        let seq = lens.len() as u64;
        (head.json.tail[0].from, head.json.tail[0].to, head.json.seq) = (seq, seq + 1, seq + 1);
        head
    }

    #[test]
    fn segments_are_merged_as_long_as_that_is_worth_it() {
        let count = |lens: &[u64]| young(&segments(lens).json.segments).len();
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&[1, 1, 1]), 3);
        assert_eq!(count(&[100, 1, 1, 1]), 3);
        assert_eq!(count(&[6, 1, 1, 1]), 4);
        assert_eq!(count(&[MERGED_MAX_BYTES, 5, 4]), 2);
    }

    #[test]
    fn a_segment_takes_the_place_of_those_it_was_made_of() {
        let head = segments(&[1, 1, 1]);
        let merged = Segment {
            key: "segment/merged".to_owned(),
            to: 3,
            ..head.json.segments[0].clone()
        };
        let keys = |numbers: &[u64]| numbers.iter().map(|n| format!("segment/{n}")).collect::<Vec<_>>();
        let with = |numbers: &[u64]| with_segment(&head, &merged, &keys(numbers), "nonce".to_owned());
        let next = with(&[1, 2]).unwrap();
        FullHead::decode(&next.encode().unwrap()).expect("a head without a gap");
        let left = next.json.segments.iter().map(|it| (&*it.key, it.from, it.to));
        assert_eq!(
            left.collect::<Vec<_>>(),
            [("segment/0", 0, 1), ("segment/merged", 1, 3)]
        );
        assert!(with(&[2, 3]).is_none() && with(&[0, 2]).is_none() && with(&[7]).is_none());
    }

    #[test]
    fn a_base_takes_the_place_of_what_led_to_it_and_of_nothing_else() {
        assert_eq!(left_on(0), "segment 0 to 2, tail 2 to 3");
        // In the middle of a segment, which leads on from every state in it.
        assert_eq!(left_on(1), "segment 1 to 2, tail 2 to 3");
        assert_eq!(left_on(2), "tail 2 to 3");
        assert_eq!(left_on(3), "");
    }
}
