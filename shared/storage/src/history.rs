//! History: the commits that left `head` together, each on its own, so that every state of the last days can be restored.
//!
//! `head` holds its newest deltas one by one. When they no longer fit they become one segment, in which they are merged, because a
//! reader wants the newest state only. A history object keeps them apart. It is written beside the segment, no `head` names it, and
//! no reader fetches it, so a start reads the same number of bytes however long the history is.
//!
//! It holds only commits that `head` already held, so it is true even if the commit that wrote it is refused. Two writers may
//! store the same commits twice.
//!
//! Key: `history/<epoch>-<from>-<to>-<first>-<last>-<ulid>`, in decimal: the epoch, the states before the first and after the last
//! commit, and the times of both in milliseconds since 1970. A search therefore needs a LIST and one GET.
//!
//! Body: the frame of `head` (see `frame`) with the JSON `{commits: [{seq, len, at_ms, schema}]}`, then the number of raw bytes
//! (8, little-endian), and one zstd frame of all raw deltas. Commits that follow each other rewrite the same pages, so together they
//! take much less than one by one.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::compression;
use crate::delta::{Delta, split_length};
use crate::error::Error;
use crate::frame;
use crate::head::{FullHead, Stamp};

/// Where history objects lie.
pub(crate) const HISTORY: &str = "history/";

/// The name of a history object, which says what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HistoryKey {
    pub(crate) key: String,
    pub(crate) epoch: u64,
    /// The state before its first commit.
    pub(crate) from: u64,
    /// The state after its last commit.
    pub(crate) to: u64,
    /// When its first commit was made. Milliseconds since 1970.
    pub(crate) first_ms: u64,
    /// When its last commit was made. Milliseconds since 1970.
    pub(crate) last_ms: u64,
}

impl HistoryKey {
    /// Reads the name of an object; `None` if it is not one of a history object.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let mut parts = key.strip_prefix(HISTORY)?.split('-');
        let mut number = || parts.next()?.parse().ok();
        let (epoch, from, to) = (number()?, number()?, number()?);
        let (first_ms, last_ms) = (number()?, number()?);
        let is_whole = parts.next().is_some() && parts.next().is_none();
        (is_whole && from < to).then(|| Self {
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
    /// The state after it.
    pub(crate) seq: u64,
    pub(crate) stamp: Stamp,
    /// Leads from the state before.
    pub(crate) delta: Delta,
}

#[derive(Serialize, Deserialize)]
struct Index {
    commits: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    seq: u64,
    /// Of the raw delta. Bytes.
    len: u64,
    #[serde(flatten)]
    stamp: Stamp,
}

/// The history object of everything in the tail of `head`: its key, which ends in `name`, and its body. `None` if the tail is empty.
///
/// # Errors
/// [`Error::Corrupt`].
pub(crate) fn encode(head: &FullHead, name: &str) -> Result<Option<(String, Bytes)>, Error> {
    let tail = &head.json.tail;
    let (Some(first), Some(last)) = (tail.first(), tail.last()) else {
        return Ok(None);
    };
    let (mut raw, mut commits) = (Vec::new(), Vec::with_capacity(tail.len()));
    for (entry, blob) in tail.iter().zip(&head.blobs) {
        let delta = Delta::unpack(blob).map_err(|detail| Error::Corrupt(format!("head: {detail}")))?;
        raw.extend_from_slice(&delta);
        commits.push(Row {
            seq: entry.to,
            len: delta.len() as u64,
            stamp: entry.stamp,
        });
    }
    let (epoch, first_ms, last_ms) = (head.json.epoch, first.stamp.at_ms, last.stamp.at_ms);
    let key = format!(
        "{HISTORY}{epoch}-{}-{}-{first_ms}-{last_ms}-{name}",
        first.from, last.to
    );
    let json = serde_json::to_vec(&Index { commits }).map_err(|error| Error::Corrupt(format!("{key}: {error}")))?;
    let length = (raw.len() as u64).to_le_bytes();
    let packed = Bytes::from(compression::pack_alike(&length, &raw)?);
    Ok(Some((key, frame::close(&json, [&packed]))))
}

/// The commits of a history object, in order.
///
/// # Errors
/// [`Error::Corrupt`], naming the object.
pub(crate) fn decode(key: &HistoryKey, body: &Bytes) -> Result<Vec<Commit>, Error> {
    let commits = parse(body).map_err(|detail| Error::Corrupt(format!("{}: {detail}", key.key)))?;
    let seqs = commits.iter().map(|commit| commit.seq);
    if seqs.eq(key.from + 1..=key.to) {
        Ok(commits)
    } else {
        Err(Error::Corrupt(format!("{}: not the commits of its name", key.key)))
    }
}

fn parse(body: &Bytes) -> Result<Vec<Commit>, String> {
    let (json, packed_at) = frame::open(body)?;
    let index: Index = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let (length, packed) = split_length(&body[packed_at..])?;
    let raw = Bytes::from(compression::unpack(packed, length)?);
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
    use crate::head::TailEntry;
    use crate::head::tests::sample;

    fn delta(page_count: u32, byte: u8) -> Delta {
        Delta {
            page_size: 512,
            page_count,
            pages: BTreeMap::from([(1, vec![byte; 512].into()), (page_count, vec![byte + 1; 512].into())]),
        }
    }

    /// A `head` at the state 5 of the epoch 1, whose tail leads there from the state 2.
    fn head() -> FullHead {
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
    fn each_commit_of_the_tail_comes_back() {
        let (key, body) = encode(&head(), "ULID").unwrap().unwrap();
        assert_eq!(key, "history/1-2-5-3000-5000-ULID");
        let commits = decode(&HistoryKey::parse(&key).unwrap(), &body).unwrap();
        let seen = commits
            .iter()
            .map(|it| (it.seq, it.stamp.at_ms, it.stamp.schema, &it.delta));
        let deltas = [delta(3, 40), delta(4, 40), delta(5, 40)];
        let wanted = [
            (3, 3_000, 7, &deltas[0]),
            (4, 4_000, 7, &deltas[1]),
            (5, 5_000, 7, &deltas[2]),
        ];
        assert!(seen.eq(wanted));
    }

    #[test]
    fn pages_that_commits_rewrite_are_stored_once() {
        let mut noise = vec![0; 65_536];
        crate::Random::fill(&crate::environment::SeededRandom::new(1), &mut noise);
        let mut head = head();
        let page = |turn: u8| {
            let mut page = noise.clone();
            page[0] = turn;
            (1, Bytes::from(page))
        };
        head.blobs = (0..3)
            .map(|turn| {
                let delta = Delta {
                    page_size: 65_536,
                    page_count: 1,
                    pages: BTreeMap::from([page(turn)]),
                };
                delta.encode().unwrap()
            })
            .collect();
        let (key, body) = encode(&head, "ULID").unwrap().unwrap();
        assert!(body.len() < 68_000, "{}", body.len());
        assert_eq!(decode(&HistoryKey::parse(&key).unwrap(), &body).unwrap().len(), 3);
    }

    #[test]
    fn an_empty_tail_has_no_history() {
        let mut head = head();
        head.json.tail.clear();
        head.blobs.clear();
        assert_eq!(encode(&head, "ULID").unwrap(), None);
    }

    #[test]
    fn other_names_are_not_parsed() {
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
    fn damage_is_an_error_that_names_the_object() {
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
