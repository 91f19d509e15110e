//! `head`: the one object that changes. Whoever replaces it under its ETag has committed.
//!
//! Encoded: length of the JSON (4 bytes), digest of all that follows (8 bytes), the JSON, then the deltas of the tail one after
//! the other. Numbers little-endian. This framing holds for every format, so that old code can say which format it met.
//! Fields that this code does not know are kept.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::delta::{Delta, is_page_size};
use crate::error::Error;
use crate::frame;
use crate::limits::{FORMAT, HEAD_MAX_BYTES};
use crate::version::Version;

/// The key of the one mutable object.
pub(crate) const HEAD_KEY: &str = "head";

/// The JSON part of `head`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// First, so that old code can read it whatever follows.
    pub(crate) format: u32,
    /// Names the database: two buckets are never mixed up.
    pub(crate) database: String,
    pub(crate) epoch: u64,
    pub(crate) seq: u64,
    /// New at every PUT, so that no two heads are equal.
    pub(crate) nonce: String,
    pub(crate) schema: u32,
    pub(crate) min_reader: u32,
    pub(crate) min_writer: u32,
    /// Bytes.
    pub(crate) page_size: u32,
    pub(crate) page_count: u32,
    #[serde(with = "hexadecimal")]
    pub(crate) checksum: u64,
    pub(crate) base: Base,
    pub(crate) segments: Vec<Segment>,
    pub(crate) tail: Vec<TailEntry>,
    pub(crate) lock: Option<Lock>,
    /// No object created at or before this moment of the store's clock may be named anew. Milliseconds since 1970.
    pub(crate) floor_ms: u64,
    /// Where a restore began an epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) branch: Option<Branch>,
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// What all deltas stand on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Base {
    /// New with every base, whatever it holds.
    pub(crate) id: String,
    /// The state that the chunks hold.
    pub(crate) seq: u64,
    /// The key of the chunk table; none for the empty file that every database begins with.
    pub(crate) table: Option<String>,
    #[serde(flatten)]
    pub(crate) stamp: Stamp,
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// A delta that stands in an object of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub(crate) key: String,
    /// It leads from this state...
    pub(crate) from: u64,
    /// ...and from every one after it, to this.
    pub(crate) to: u64,
    /// Bytes.
    pub(crate) len: u64,
    #[serde(with = "hexadecimal")]
    pub(crate) digest: u64,
    #[serde(flatten)]
    pub(crate) stamp: Stamp,
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// A delta that follows the JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TailEntry {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// Bytes.
    pub(crate) len: u64,
    #[serde(flatten)]
    pub(crate) stamp: Stamp,
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// The first state of an epoch that a restore began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Branch {
    /// A branch of another epoch than that of `head` says nothing: code that does not know the field carries it on.
    pub(crate) epoch: u64,
    pub(crate) seq: u64,
    /// When the restore took place. Milliseconds since 1970.
    pub(crate) at_ms: u64,
}

/// What a restore has to know of the last state in an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// When it was committed; never before the state that it follows on. Milliseconds since 1970.
    #[serde(default)]
    pub(crate) at_ms: u64,
    #[serde(default)]
    pub(crate) schema: u32,
}

/// Who asks the others to wait. Fairness only: safety rests on the ETag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lock {
    pub(crate) owner: String,
    pub(crate) token: String,
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// `head` as it lies in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FullHead {
    pub(crate) json: Head,
    /// One for each entry of the tail, encoded.
    pub(crate) blobs: Vec<Bytes>,
}

mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{number:016x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        u64::from_str_radix(&String::deserialize(deserializer)?, 16).map_err(D::Error::custom)
    }
}

impl Head {
    pub(crate) fn version(&self) -> Version {
        Version {
            epoch: self.epoch,
            seq: self.seq,
        }
    }

    /// Where a restore began this epoch, if that is known.
    pub(crate) fn branch(&self) -> Option<Branch> {
        self.branch.filter(|branch| branch.epoch == self.epoch)
    }

    /// What `head` names must follow on from one another without a gap.
    fn check(&self) -> Result<(), String> {
        if !is_page_size(self.page_size) {
            return Err(format!("a page size of {}", self.page_size));
        }
        let mut seq = self.base.seq;
        let segments = self.segments.iter().map(|segment| (segment.from, segment.to));
        for (from, to) in segments.chain(self.tail.iter().map(|entry| (entry.from, entry.to))) {
            if from != seq || to <= from {
                return Err(format!("a delta from {from} to {to} where {seq} was reached"));
            }
            seq = to;
        }
        if seq != self.seq {
            return Err(format!("deltas up to {seq} for a database at {}", self.seq));
        }
        let keys = self.segments.iter().map(|segment| (&segment.key, "segment/"));
        for (key, folder) in keys.chain(self.base.table.iter().map(|key| (key, "table/"))) {
            if !key.starts_with(folder) {
                return Err(format!("{key:?} where something below {folder} belongs"));
            }
        }
        Ok(())
    }
}

impl FullHead {
    /// # Errors
    /// [`Error::TooLarge`]; the planner never lets it come to this.
    pub(crate) fn encode(&self) -> Result<Bytes, Error> {
        let json = serde_json::to_vec(&self.json).map_err(|error| Error::Corrupt(format!("head: {error}")))?;
        let body = frame::close(&json, &self.blobs);
        if body.len() > HEAD_MAX_BYTES {
            return Err(Error::TooLarge {
                what: "head",
                bytes: body.len(),
                limit: HEAD_MAX_BYTES,
            });
        }
        Ok(body)
    }

    /// # Errors
    /// [`Error::Corrupt`], or [`Error::Unsupported`] for a higher format.
    pub(crate) fn decode(body: &Bytes) -> Result<Self, Error> {
        Self::parse(body).map_err(|problem| match problem {
            Problem::Format(format) => Error::Unsupported(format!(
                "the store holds format {format}, this code knows up to {FORMAT}: deploy newer code"
            )),
            Problem::Damage(detail) => Error::Corrupt(format!(
                "head: {detail}. Put back an earlier version of the object `head`"
            )),
        })
    }

    fn parse(body: &Bytes) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct OnlyFormat {
            format: u32,
        }
        let damage = |detail: &str| Problem::Damage(detail.to_owned());
        let (json, blobs_at) = frame::open(body).map_err(damage)?;
        let unreadable = |error: serde_json::Error| Problem::Damage(error.to_string());
        let OnlyFormat { format } = serde_json::from_slice(json).map_err(unreadable)?;
        if format > FORMAT {
            return Err(Problem::Format(format));
        }
        let json: Head = serde_json::from_slice(json).map_err(unreadable)?;
        json.check().map_err(Problem::Damage)?;
        let mut blobs = Vec::with_capacity(json.tail.len());
        let mut at = blobs_at;
        for entry in &json.tail {
            let end = usize::try_from(entry.len).ok().and_then(|len| at.checked_add(len));
            let end = end
                .filter(|end| *end <= body.len())
                .ok_or_else(|| damage("shorter than its tail"))?;
            blobs.push(body.slice(at..end));
            at = end;
        }
        if at == body.len() {
            Ok(Self { json, blobs })
        } else {
            Err(damage("longer than its tail"))
        }
    }

    /// The deltas of the tail that lead on from `seq`, in order.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub(crate) fn tail_after(&self, seq: u64) -> Result<Vec<Delta>, Error> {
        let damaged = |detail| Error::Corrupt(format!("head: {detail}"));
        let packed = self.packed_tail_after(seq);
        packed.map(|packed| Delta::decode(packed).map_err(damaged)).collect()
    }

    /// The same, as they are stored.
    pub(crate) fn packed_tail_after(&self, seq: u64) -> impl Iterator<Item = &Bytes> {
        let entries = self.json.tail.iter().zip(&self.blobs);
        entries.filter(move |(entry, _)| entry.to > seq).map(|(_, blob)| blob)
    }
}

enum Problem {
    Format(u32),
    Damage(String),
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> FullHead {
        let json = serde_json::json!({
            "format": 1, "database": "d", "epoch": 1, "seq": 3, "nonce": "n", "schema": 0, "min_reader": 0, "min_writer": 0,
            "page_size": 4096, "page_count": 2, "checksum": "00000000000000ff",
            "base": { "id": "b", "seq": 0, "table": null, "colour": "red" },
            "segments": [{ "key": "segment/A", "from": 0, "to": 2, "len": 9, "digest": "01", "more": [1] }],
            "tail": [{ "from": 2, "to": 3, "len": 4, "x": 1 }],
            "lock": { "owner": "o", "token": "t", "until": 5 }, "floor_ms": 7, "future": { "deep": true },
        });
        FullHead {
            json: serde_json::from_value(json).unwrap(),
            blobs: vec![Bytes::from_static(b"blob")],
        }
    }

    #[test]
    fn comes_back_as_it_was_with_fields_it_does_not_know() {
        let head = sample();
        let again = FullHead::decode(&head.encode().unwrap()).unwrap();
        assert_eq!(again, head);
        assert_eq!(again.json.unknown["future"]["deep"], true);
        assert_eq!(again.json.base.unknown["colour"], "red");
        assert_eq!(again.json.segments[0].unknown["more"][0], 1);
        assert_eq!(again.json.tail[0].unknown["x"], 1);
        assert_eq!(again.json.lock.unwrap().unknown["until"], 5);
    }

    #[test]
    fn a_higher_format_is_refused_even_where_it_cannot_be_read() {
        let mut head = sample();
        head.json.format = FORMAT + 1;
        head.json.tail.clear();
        let error = FullHead::decode(&head.encode().unwrap()).unwrap_err();
        assert!(
            matches!(&error, Error::Unsupported(text) if text.contains("format 2")),
            "{error}"
        );
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_an_error() {
        let body = sample().encode().unwrap();
        for cut in 0..body.len() {
            let error = FullHead::decode(&body.slice(..cut)).unwrap_err();
            assert!(matches!(error, Error::Corrupt(_)), "cut at {cut}: {error}");
        }
        for at in 0..body.len() {
            let mut damaged = body.to_vec();
            damaged[at] ^= 1;
            let error = FullHead::decode(&damaged.into()).unwrap_err();
            assert!(matches!(error, Error::Corrupt(_)), "bit at {at}: {error}");
        }
    }

    #[test]
    fn a_gap_between_deltas_is_an_error() {
        for edit in [
            (|head: &mut Head| head.tail[0].from = 1) as fn(&mut Head),
            |head| head.seq = 4,
            |head| head.segments[0].to = 0,
            |head| head.page_size = 1_000,
            |head| head.segments[0].key = "head".to_owned(),
        ] {
            let mut head = sample();
            edit(&mut head.json);
            let error = FullHead::decode(&head.encode().unwrap()).unwrap_err();
            assert!(matches!(error, Error::Corrupt(_)), "{error}");
        }
    }
}
