//! Computes the successors of a `head`: after a commit, on a new base, with a merged segment, another lock or a higher
//! floor.
//!
//! All functions are pure. Each returns a new `head` with a new nonce and leaves the original as it is.

use bytes::Bytes;
use serde_json::Map;

use crate::format::head::{Base, Head, HeadJson, Lock, RecentWriter, SchemaEdit, Segment, Stamp, TailEntry};
use crate::limits::{ACTIVE_WRITER_MS, RECENT_WRITERS_MAX};

/// The objects that a commit stored before its PUT of `head`.
pub(crate) enum StoredObjects {
    /// None: the new delta goes into the tail.
    None,
    /// The old tail as one segment. The new delta goes into the tail.
    Tail(Segment),
    /// The old tail, unless it was empty, and the new delta, each as a segment.
    Segments(Vec<Segment>),
    /// A base that contains the new delta.
    Base(Base),
}

/// A commit, as an edit of `head`.
pub(crate) struct CommitEdit {
    pub(crate) stored: StoredObjects,
    /// The new delta, encoded.
    pub(crate) delta: Bytes,
    pub(crate) page_count: u32,
    pub(crate) checksum: u64,
    pub(crate) schema: Option<SchemaEdit>,
    pub(crate) nonce: String,
    /// Time of the commit. Milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// Id of the writer.
    pub(crate) writer: String,
}

impl HeadJson {
    /// Returns the stamp of the last state in `head`.
    pub(crate) fn last_stamp(&self) -> Stamp {
        let segment = self.segments.last().map(|segment| segment.stamp);
        let tail = self.tail.last().map(|entry| entry.stamp);
        tail.or(segment).unwrap_or(self.base.stamp)
    }

    /// Returns a mutable reference to the stamp of the last state in `head`.
    pub(crate) fn last_stamp_mut(&mut self) -> &mut Stamp {
        let segment = self.segments.last_mut().map(|segment| &mut segment.stamp);
        let tail = self.tail.last_mut().map(|entry| &mut entry.stamp);
        tail.or(segment).unwrap_or(&mut self.base.stamp)
    }

    /// Moves a writer to the end of the recent ones, and removes those that are no longer active.
    fn record_writer(&mut self, id: String, at_ms: u64) {
        let is_active = |writer: &RecentWriter| at_ms.abs_diff(writer.at_ms) < ACTIVE_WRITER_MS;
        self.writers.retain(|writer| writer.id != id && is_active(writer));
        if self.writers.len() >= RECENT_WRITERS_MAX {
            self.writers.remove(0);
        }
        self.writers.push(RecentWriter { id, at_ms });
    }
}

impl Head {
    /// Returns the `head` after a commit. It holds no lock.
    pub(crate) fn after_commit(&self, edit: CommitEdit) -> Self {
        let mut next = self.clone();
        let json = &mut next.json;
        let from = json.seq;
        json.seq += 1;
        json.nonce = edit.nonce;
        json.page_count = edit.page_count;
        json.checksum = edit.checksum;
        json.lock = None;
        if let Some(schema) = edit.schema {
            json.schema = json.schema.max(schema.schema);
            json.min_reader = json.min_reader.max(schema.min_reader);
            json.min_writer = json.min_writer.max(schema.min_writer);
        }
        let stamp = Stamp {
            // A clock may be set back, but a search by time needs ascending times.
            at_ms: edit.at_ms.max(json.last_stamp().at_ms),
            schema: json.schema,
        };
        json.record_writer(edit.writer, stamp.at_ms);
        let inline = match edit.stored {
            StoredObjects::None => true,
            StoredObjects::Tail(segment) => {
                json.tail.clear();
                next.blobs.clear();
                json.segments.push(segment);
                true
            }
            StoredObjects::Segments(segments) => {
                json.tail.clear();
                next.blobs.clear();
                json.segments.extend(segments);
                *json.last_stamp_mut() = stamp;
                false
            }
            StoredObjects::Base(base) => {
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
                len: edit.delta.len() as u64,
                stamp,
                unknown: Map::new(),
            });
            next.blobs.push(edit.delta);
        }
        next
    }

    /// Returns the same state on another base, which contains the first deltas already. It holds no lock.
    ///
    /// A delta can be applied to its first state and to every state up to its last one. Therefore a delta that begins
    /// before the state of the base and ends after it is kept, and is applied to the base.
    pub(crate) fn with_base(&self, base: Base, nonce: String) -> Self {
        let mut next = self.with_lock(None, nonce);
        let json = &mut next.json;
        json.segments.retain(|segment| segment.to > base.seq);
        let contained = json.tail.iter().filter(|entry| entry.to <= base.seq).count();
        json.tail.drain(..contained);
        next.blobs.drain(..contained);
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

    /// Returns the same state with `segment` in place of the consecutive segments named `keys`, or `None` if `head`
    /// does not name all of them. It holds no lock.
    pub(crate) fn with_merged_segment(&self, segment: &Segment, keys: &[String], nonce: String) -> Option<Self> {
        let mut next = self.with_lock(None, nonce);
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

    /// Returns the same `head` with a higher garbage floor (see [`HeadJson::floor_ms`]). It holds no lock.
    pub(crate) fn with_floor(&self, floor_ms: u64, nonce: String) -> Self {
        let mut next = self.with_lock(None, nonce);
        next.json.floor_ms = floor_ms;
        next
    }

    /// Returns the same `head` with another lock.
    pub(crate) fn with_lock(&self, lock: Option<Lock>, nonce: String) -> Self {
        let mut next = self.clone();
        next.json.lock = lock;
        next.json.nonce = nonce;
        next
    }

    /// Returns the states to which `head` can be cut back, including its own state, as sequence numbers and commit times
    /// in milliseconds since 1970. State 0 is the empty file that every database begins with.
    pub(crate) fn cuts(&self) -> Vec<(u64, u64)> {
        let json = &self.json;
        let mut cuts = vec![(json.base.seq, json.base.stamp.at_ms)];
        cuts.extend(json.segments.iter().map(|segment| (segment.to, segment.stamp.at_ms)));
        cuts.extend(json.tail.iter().map(|entry| (entry.to, entry.stamp.at_ms)));
        cuts
    }

    /// Returns `head` without the deltas after state `seq`, which is one of its [`cuts`](Self::cuts). The caller has to
    /// compute its page count and its checksum.
    pub(crate) fn cut_back_to(&self, seq: u64) -> Self {
        let mut cut = self.clone();
        let json = &mut cut.json;
        json.segments.retain(|segment| segment.to <= seq);
        json.tail.retain(|entry| entry.to <= seq);
        cut.blobs.truncate(json.tail.len());
        json.seq = seq;
        json.schema = json.last_stamp().schema;
        cut
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::format::head::tests::sample;

    /// A `head` with consecutive segments of these lengths, and one tail entry.
    pub(crate) fn with_segments(lens: &[u64]) -> Head {
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

    fn base(seq: u64) -> Base {
        Base {
            id: "new".to_owned(),
            seq,
            ..sample().json.base
        }
    }

    /// The deltas that remain of a segment from 0 to 2 and a tail entry from 2 to 3.
    fn deltas_on_base(seq: u64) -> String {
        let next = sample().with_base(base(seq), "nonce".to_owned());
        Head::decode(&next.encode().unwrap()).expect("a head without a gap");
        let segments = next
            .json
            .segments
            .iter()
            .map(|it| format!("segment {} to {}", it.from, it.to));
        let tail = next.json.tail.iter().map(|it| format!("tail {} to {}", it.from, it.to));
        segments.chain(tail).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn merged_segment_replaces_its_parts() {
        let head = with_segments(&[1, 1, 1]);
        let merged = Segment {
            key: "segment/merged".to_owned(),
            to: 3,
            ..head.json.segments[0].clone()
        };
        let keys = |numbers: &[u64]| numbers.iter().map(|n| format!("segment/{n}")).collect::<Vec<_>>();
        let with = |numbers: &[u64]| head.with_merged_segment(&merged, &keys(numbers), "nonce".to_owned());
        let next = with(&[1, 2]).unwrap();
        Head::decode(&next.encode().unwrap()).expect("a head without a gap");
        let segments = next.json.segments.iter().map(|it| (&*it.key, it.from, it.to));
        assert_eq!(
            segments.collect::<Vec<_>>(),
            [("segment/0", 0, 1), ("segment/merged", 1, 3)]
        );
        assert!(with(&[2, 3]).is_none() && with(&[0, 2]).is_none() && with(&[7]).is_none());
    }

    #[test]
    fn base_replaces_only_the_deltas_that_it_contains() {
        assert_eq!(deltas_on_base(0), "segment 0 to 2, tail 2 to 3");
        // State 1 is inside a segment, which leads on from each of its states.
        assert_eq!(deltas_on_base(1), "segment 1 to 2, tail 2 to 3");
        assert_eq!(deltas_on_base(2), "tail 2 to 3");
        assert_eq!(deltas_on_base(3), "");
    }
}
