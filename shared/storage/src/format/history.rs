//! Encodes and decodes history objects, which store single commits, so that every state of the last days can be
//! restored. [`HistoryKey`] is the parsed key of such an object.
//!
//! The tail of `head` contains the newest deltas one by one. When it is full, its deltas are merged into one segment,
//! because a reader needs the newest state only. A history object, which is written at the same time, keeps them apart.
//! No `head` names it and no reader fetches it, so the length of the history does not slow down a cold start.
//!
//! A history object contains only commits that `head` already contained, so it is valid even if the commit that wrote
//! it is rejected. Two writers may store the same commits twice.
//!
//! Key: `history/<epoch>-<from>-<to>-<first>-<last>-<ulid>` in decimal. These are the epoch, the states before the
//! first and after the last commit, and the times of both commits in milliseconds since 1970. Therefore a search needs
//! one LIST and one GET.
//!
//! Body: the frame (see `frame`) with the JSON `{commits: [{seq, len, at_ms, schema}]}`, then the number of raw bytes
//! (8 bytes, little-endian), and one zstd frame of all raw deltas. Consecutive commits often rewrite the same pages, so
//! they are compressed together.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::format::delta::{Delta, split_length};
use crate::format::head::{Head, Stamp};
use crate::format::keys::HISTORY_PREFIX;
use crate::format::{compression, frame};

/// The parsed key of a history object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HistoryKey {
    pub(crate) key: String,
    pub(crate) epoch: u64,
    /// The state before its first commit.
    pub(crate) from: u64,
    /// The state after its last commit.
    pub(crate) to: u64,
    /// Time of its first commit. Milliseconds since 1970.
    pub(crate) first_ms: u64,
    /// Time of its last commit. Milliseconds since 1970.
    pub(crate) last_ms: u64,
}

impl HistoryKey {
    /// Parses a key. `None` if it is not the key of a history object.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let mut parts = key.strip_prefix(HISTORY_PREFIX)?.split('-');
        let mut number = || parts.next()?.parse().ok();
        let (epoch, from, to) = (number()?, number()?, number()?);
        let (first_ms, last_ms) = (number()?, number()?);
        let has_six_parts = parts.next().is_some() && parts.next().is_none();
        (has_six_parts && from < to).then(|| Self {
            key: key.to_owned(),
            epoch,
            from,
            to,
            first_ms,
            last_ms,
        })
    }
}

/// One commit of a history object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    /// The sequence number of the state after the commit.
    pub(crate) seq: u64,
    pub(crate) stamp: Stamp,
    /// The changes from the previous state to this one.
    pub(crate) delta: Delta,
}

#[derive(Serialize, Deserialize)]
struct Index {
    commits: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    seq: u64,
    /// Length of the raw delta, in bytes.
    len: u64,
    #[serde(flatten)]
    stamp: Stamp,
}

/// Encodes the tail of `head` as a history object. Returns the key of the object, which ends with `name`, and its body;
/// `None` if the tail is empty.
///
/// # Errors
/// [`Error::Corrupt`].
pub(crate) fn encode(head: &Head, name: &str) -> Result<Option<(String, Bytes)>, Error> {
    let tail = &head.json.tail;
    let (Some(first), Some(last)) = (tail.first(), tail.last()) else {
        return Ok(None);
    };
    let mut raw = Vec::new();
    let mut commits = Vec::with_capacity(tail.len());
    for (entry, blob) in tail.iter().zip(&head.blobs) {
        let delta = Delta::decompress(blob).map_err(|detail| Error::Corrupt(format!("head: {detail}")))?;
        raw.extend_from_slice(&delta);
        commits.push(Row {
            seq: entry.to,
            len: delta.len() as u64,
            stamp: entry.stamp,
        });
    }
    let (epoch, first_ms, last_ms) = (head.json.epoch, first.stamp.at_ms, last.stamp.at_ms);
    let key = format!(
        "{HISTORY_PREFIX}{epoch}-{}-{}-{first_ms}-{last_ms}-{name}",
        first.from, last.to
    );
    let json = serde_json::to_vec(&Index { commits }).map_err(|error| Error::Corrupt(format!("{key}: {error}")))?;
    let length = (raw.len() as u64).to_le_bytes();
    let compressed = Bytes::from(compression::compress_repetitive(&length, &raw)?);
    Ok(Some((key, frame::encode(&json, [&compressed]))))
}

/// Decodes the commits of a history object, in order.
///
/// # Errors
/// [`Error::Corrupt`], which names the object.
pub(crate) fn decode(key: &HistoryKey, body: &Bytes) -> Result<Vec<Commit>, Error> {
    let commits = parse(body).map_err(|detail| Error::Corrupt(format!("{}: {detail}", key.key)))?;
    let seqs = commits.iter().map(|commit| commit.seq);
    if seqs.eq(key.from + 1..=key.to) {
        Ok(commits)
    } else {
        Err(Error::Corrupt(format!("{}: its commits do not match its key", key.key)))
    }
}

fn parse(body: &Bytes) -> Result<Vec<Commit>, String> {
    let (json, blobs_at) = frame::decode(body)?;
    let index: Index = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let (length, compressed) = split_length(&body[blobs_at..])?;
    let raw = Bytes::from(compression::decompress(compressed, length)?);
    let mut at = 0;
    let mut commits = Vec::with_capacity(index.commits.len());
    for row in index.commits {
        let end = usize::try_from(row.len).ok().and_then(|len| len.checked_add(at));
        let end = end.filter(|end| *end <= raw.len()).ok_or("shorter than its commits")?;
        commits.push(Commit {
            seq: row.seq,
            stamp: row.stamp,
            delta: Delta::parse(&raw.slice(at..end))?,
        });
        at = end;
    }
    if at == raw.len() {
        Ok(commits)
    } else {
        Err("longer than its commits".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::format::head::TailEntry;
    use crate::format::head::tests::sample;

    fn delta(page_count: u32, byte: u8) -> Delta {
        Delta {
            page_size: 512,
            page_count,
            pages: BTreeMap::from([(1, vec![byte; 512].into()), (page_count, vec![byte + 1; 512].into())]),
        }
    }

    /// A `head` at state 5 of epoch 1, whose tail begins after state 2.
    fn head() -> Head {
        let mut head = sample();
        let entry = |to: u64| TailEntry {
            from: to - 1,
            to,
            stamp: Stamp {
                at_ms: 1_000 * to,
                schema: 7,
            },
            ..head.json.tail[0].clone()
        };
        let entries = (3..=5).map(entry).collect();
        head.json.tail = entries;
        head.blobs = (3..=5)
            .map(|page_count| delta(page_count, 40).encode().unwrap())
            .collect();
        head
    }

    #[test]
    fn commits_of_the_tail_survive_a_round_trip() {
        let (key, body) = encode(&head(), "ULID").unwrap().unwrap();
        assert_eq!(key, "history/1-2-5-3000-5000-ULID");
        let commits = decode(&HistoryKey::parse(&key).unwrap(), &body).unwrap();
        let seen = commits
            .iter()
            .map(|it| (it.seq, it.stamp.at_ms, it.stamp.schema, &it.delta));
        let deltas = [delta(3, 40), delta(4, 40), delta(5, 40)];
        let expected = [
            (3, 3_000, 7, &deltas[0]),
            (4, 4_000, 7, &deltas[1]),
            (5, 5_000, 7, &deltas[2]),
        ];
        assert!(seen.eq(expected));
    }

    #[test]
    fn rewritten_pages_compress_well() {
        let mut noise = vec![0; 65_536];
        crate::StorageRandom::fill(&crate::random::SeededRandom::new(1), &mut noise);
        let mut head = head();
        let page = |first_byte: u8| {
            let mut page = noise.clone();
            page[0] = first_byte;
            (1, Bytes::from(page))
        };
        head.blobs = (0..3)
            .map(|first_byte| {
                let delta = Delta {
                    page_size: 65_536,
                    page_count: 1,
                    pages: BTreeMap::from([page(first_byte)]),
                };
                delta.encode().unwrap()
            })
            .collect();
        let (key, body) = encode(&head, "ULID").unwrap().unwrap();
        assert!(body.len() < 68_000, "{}", body.len());
        assert_eq!(decode(&HistoryKey::parse(&key).unwrap(), &body).unwrap().len(), 3);
    }

    #[test]
    fn empty_tail_has_no_history() {
        let mut head = head();
        head.json.tail.clear();
        head.blobs.clear();
        assert_eq!(encode(&head, "ULID").unwrap(), None);
    }

    #[test]
    fn keys_of_other_objects_are_not_parsed() {
        for key in [
            "history/1-2-5-3-4",
            "history/1-5-5-3-4-ULID",
            "history/1-2-5-3-4-ULID-x",
            "history/a-2-5-3-4-ULID",
            "segment/1-2-5-3-4-ULID",
        ] {
            assert_eq!(HistoryKey::parse(key), None, "{key}");
        }
    }

    #[test]
    fn error_of_damaged_history_names_the_object() {
        let (key, body) = encode(&head(), "ULID").unwrap().unwrap();
        let named = HistoryKey::parse(&key).unwrap();
        for at in 0..body.len() {
            let mut damaged = body.to_vec();
            damaged[at] ^= 1;
            let error = decode(&named, &damaged.into()).unwrap_err();
            assert!(error.to_string().contains(&key), "byte {at}: {error}");
        }
        let other = HistoryKey::parse("history/1-3-6-3-4-ULID").unwrap();
        decode(&other, &body).unwrap_err();
    }
}
