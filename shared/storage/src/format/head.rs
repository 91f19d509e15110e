//! [`Head`]: the one mutable object, `head`. A PUT of `head` under its current ETag is a commit.
//!
//! Layout: the frame (see `frame`) with the JSON, then the encoded deltas of the tail in order. All formats share this
//! frame, so that old code can report a newer format by its number. Fields that this code does not know are preserved.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::format::delta::{Delta, is_page_size};
use crate::format::frame;
use crate::limits::{FORMAT, HEAD_MAX_BYTES};
use crate::version::Version;

/// The JSON part of `head`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeadJson {
    /// Version of the stored format.
    pub(crate) format: u32,
    /// Random id of the database, so that a process notices if its bucket is replaced by another one.
    pub(crate) database: String,
    /// The number of restores, plus one. Every restore raises it by one.
    pub(crate) epoch: u64,
    /// The sequence number of the state. Every commit raises it by one.
    pub(crate) seq: u64,
    /// Random, new at every PUT, so that no two heads have the same bytes.
    pub(crate) nonce: String,
    /// Version of the last migration.
    pub(crate) schema: u32,
    /// The lowest schema that code must know to read the database.
    pub(crate) min_reader: u32,
    /// The lowest schema that code must know to write the database.
    pub(crate) min_writer: u32,
    /// Bytes.
    pub(crate) page_size: u32,
    pub(crate) page_count: u32,
    /// XOR of the hashes of all pages (see `checksum`).
    #[serde(with = "hexadecimal")]
    pub(crate) checksum: u64,
    pub(crate) base: Base,
    pub(crate) segments: Vec<Segment>,
    pub(crate) tail: Vec<TailEntry>,
    pub(crate) lock: Option<Lock>,
    /// The garbage floor: `head` must not name again an object that was created at or before this time. By the store's
    /// clock, milliseconds since 1970.
    pub(crate) floor_ms: u64,
    /// The restore that began the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) branch: Option<Branch>,
    /// The writers that committed recently, by the time of their last commit, the latest one last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) writers: Vec<RecentWriter>,
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// A writer that committed recently. Writers use the list to commit in rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecentWriter {
    /// Random id of the writer of one process.
    pub(crate) id: String,
    /// Time of its last commit. Milliseconds since 1970.
    pub(crate) at_ms: u64,
}

/// The state to which the segments and the tail are applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Base {
    /// New for every base, even if its content is that of another base.
    pub(crate) id: String,
    /// Sequence number of the state in the chunks.
    pub(crate) seq: u64,
    /// Key of the chunk table. `None` for the empty file that every database begins with.
    pub(crate) table: Option<String>,
    #[serde(flatten)]
    pub(crate) stamp: Stamp,
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// A reference to a delta in an object of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub(crate) key: String,
    /// The first state to which the delta can be applied. The delta can also be applied to every state between `from`
    /// and `to`.
    pub(crate) from: u64,
    /// The state after the delta.
    pub(crate) to: u64,
    /// Length of the object, in bytes.
    pub(crate) len: u64,
    /// Digest of the object.
    #[serde(with = "hexadecimal")]
    pub(crate) digest: u64,
    #[serde(flatten)]
    pub(crate) stamp: Stamp,
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// A delta that is stored in `head` after the JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TailEntry {
    /// The state before the delta.
    pub(crate) from: u64,
    /// The state after the delta.
    pub(crate) to: u64,
    /// Length of the encoded delta, in bytes.
    pub(crate) len: u64,
    #[serde(flatten)]
    pub(crate) stamp: Stamp,
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// The first state of an epoch, which a restore created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Branch {
    /// The epoch that the restore began. If it differs from the epoch of `head`, the branch is outdated and ignored:
    /// older code that does not know this field has preserved it during a later restore.
    pub(crate) epoch: u64,
    /// Sequence number of the first state of the epoch.
    pub(crate) seq: u64,
    /// Time of the restore. Milliseconds since 1970.
    pub(crate) at_ms: u64,
}

/// The commit time and the schema of the last state in an object. Restores need both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// Time of the commit, not before that of the previous state. Milliseconds since 1970.
    #[serde(default)]
    pub(crate) at_ms: u64,
    #[serde(default)]
    pub(crate) schema: u32,
}

/// The changes of a migration in `head`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SchemaEdit {
    pub(crate) schema: u32,
    pub(crate) min_reader: u32,
    pub(crate) min_writer: u32,
}

/// An advisory lock, with which a writer asks other writers to wait. It serves fairness only: the ETag of `head`
/// guarantees safety.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lock {
    /// Id of the process, for operators.
    pub(crate) owner: String,
    /// Random id of this acquisition, by which its owner recognizes it.
    pub(crate) token: String,
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

/// `head` as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) json: HeadJson,
    /// The encoded deltas, one for each entry of the tail.
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

impl HeadJson {
    /// Returns the version of the last state.
    pub(crate) fn version(&self) -> Version {
        Version {
            epoch: self.epoch,
            seq: self.seq,
        }
    }

    /// Returns the restore that began the current epoch, if it is known.
    pub(crate) fn branch(&self) -> Option<Branch> {
        self.branch.filter(|branch| branch.epoch == self.epoch)
    }

    /// Checks that the base, the segments and the tail follow each other without a gap.
    fn check(&self) -> Result<(), String> {
        if !is_page_size(self.page_size) {
            return Err(format!("its page size is {}", self.page_size));
        }
        let mut seq = self.base.seq;
        let segments = self.segments.iter().map(|segment| (segment.from, segment.to));
        for (from, to) in segments.chain(self.tail.iter().map(|entry| (entry.from, entry.to))) {
            if from != seq || to <= from {
                return Err(format!("a delta from {from} to {to} follows state {seq}"));
            }
            seq = to;
        }
        if seq != self.seq {
            return Err(format!(
                "its deltas end at state {seq}, the database is at {}",
                self.seq
            ));
        }
        let keys = self.segments.iter().map(|segment| (&segment.key, "segment/"));
        for (key, folder) in keys.chain(self.base.table.iter().map(|key| (key, "table/"))) {
            if !key.starts_with(folder) {
                return Err(format!("the key {key:?} is not below {folder}"));
            }
        }
        Ok(())
    }
}

impl Head {
    /// # Errors
    /// [`Error::TooLarge`], which the choice of a placement prevents.
    pub(crate) fn encode(&self) -> Result<Bytes, Error> {
        let json = serde_json::to_vec(&self.json).map_err(|error| Error::Corrupt(format!("head: {error}")))?;
        let body = frame::encode(&json, &self.blobs);
        if body.len() > HEAD_MAX_BYTES {
            return Err(Error::TooLarge {
                name: "head",
                bytes: body.len(),
                limit: HEAD_MAX_BYTES,
            });
        }
        Ok(body)
    }

    /// # Errors
    /// [`Error::Corrupt`], or [`Error::Unsupported`] for a newer format.
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
        let (json, blobs_at) = frame::decode(body).map_err(damage)?;
        let unreadable = |error: serde_json::Error| Problem::Damage(error.to_string());
        let OnlyFormat { format } = serde_json::from_slice(json).map_err(unreadable)?;
        if format > FORMAT {
            return Err(Problem::Format(format));
        }
        let json: HeadJson = serde_json::from_slice(json).map_err(unreadable)?;
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

    /// Decodes the deltas of the tail after state `seq`, in order.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub(crate) fn tail_after(&self, seq: u64) -> Result<Vec<Delta>, Error> {
        let damaged = |detail| Error::Corrupt(format!("head: {detail}"));
        let deltas = self.encoded_tail_after(seq);
        deltas.map(|delta| Delta::decode(delta).map_err(damaged)).collect()
    }

    /// Returns the encoded deltas of the tail after state `seq`, in order.
    pub(crate) fn encoded_tail_after(&self, seq: u64) -> impl Iterator<Item = &Bytes> {
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

    pub(crate) fn sample() -> Head {
        let json = serde_json::json!({
            "format": 1, "database": "d", "epoch": 1, "seq": 3, "nonce": "n", "schema": 0, "min_reader": 0, "min_writer": 0,
            "page_size": 4096, "page_count": 2, "checksum": "00000000000000ff",
            "base": { "id": "b", "seq": 0, "table": null, "colour": "red" },
            "segments": [{ "key": "segment/A", "from": 0, "to": 2, "len": 9, "digest": "01", "more": [1] }],
            "tail": [{ "from": 2, "to": 3, "len": 4, "x": 1 }],
            "lock": { "owner": "o", "token": "t", "until": 5 }, "floor_ms": 7, "future": { "deep": true },
        });
        Head {
            json: serde_json::from_value(json).unwrap(),
            blobs: vec![Bytes::from_static(b"blob")],
        }
    }

    #[test]
    fn unknown_fields_survive_a_round_trip() {
        let head = sample();
        let again = Head::decode(&head.encode().unwrap()).unwrap();
        assert_eq!(again, head);
        assert_eq!(again.json.unknown["future"]["deep"], true);
        assert_eq!(again.json.base.unknown["colour"], "red");
        assert_eq!(again.json.segments[0].unknown["more"][0], 1);
        assert_eq!(again.json.tail[0].unknown["x"], 1);
        assert_eq!(again.json.lock.unwrap().unknown["until"], 5);
    }

    #[test]
    fn newer_format_is_unsupported() {
        let mut head = sample();
        head.json.format = FORMAT + 1;
        head.json.tail.clear();
        let error = Head::decode(&head.encode().unwrap()).unwrap_err();
        assert!(
            matches!(&error, Error::Unsupported(text) if text.contains("format 2")),
            "{error}"
        );
    }

    #[test]
    fn truncation_or_flipped_bit_is_corrupt() {
        let body = sample().encode().unwrap();
        for cut in 0..body.len() {
            let error = Head::decode(&body.slice(..cut)).unwrap_err();
            assert!(matches!(error, Error::Corrupt(_)), "cut at {cut}: {error}");
        }
        for at in 0..body.len() {
            let mut damaged = body.to_vec();
            damaged[at] ^= 1;
            let error = Head::decode(&damaged.into()).unwrap_err();
            assert!(matches!(error, Error::Corrupt(_)), "bit at {at}: {error}");
        }
    }

    #[test]
    fn gap_between_deltas_is_corrupt() {
        for edit in [
            (|head: &mut HeadJson| head.tail[0].from = 1) as fn(&mut HeadJson),
            |head| head.seq = 4,
            |head| head.segments[0].to = 0,
            |head| head.page_size = 1_000,
            |head| head.segments[0].key = "head".to_owned(),
        ] {
            let mut head = sample();
            edit(&mut head.json);
            let error = Head::decode(&head.encode().unwrap()).unwrap_err();
            assert!(matches!(error, Error::Corrupt(_)), "{error}");
        }
    }
}
