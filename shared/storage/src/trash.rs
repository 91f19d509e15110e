//! What the switch of one base makes useless: kept for a while, so that the states before it can be restored.
//!
//! `trash/<ulid>` is length of the JSON (4 bytes, little-endian), digest of all that follows (8), the JSON, then `head` as it was
//! before the switch. Whether the switch took place, only `head` tells: what it names is never garbage.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::chunks::ChunkTable;
use crate::error::Error;
use crate::frame;
use crate::head::FullHead;

/// Names that one switch made useless, and the `head` that named them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trash {
    pub(crate) names: Vec<String>,
    pub(crate) head: FullHead,
}

#[derive(Serialize, Deserialize)]
struct Names {
    names: Vec<String>,
}

impl Trash {
    /// What `head` names, with `old` as its chunk table, and `new` does not.
    pub(crate) fn of(head: &FullHead, old: Option<&ChunkTable>, new: &ChunkTable) -> Self {
        let kept: std::collections::HashSet<_> = new.rows.iter().map(|row| row.ulid).collect();
        let mut names: Vec<_> = head.json.segments.iter().map(|segment| segment.key.clone()).collect();
        names.extend(head.json.base.table.clone());
        let chunks = old.iter().flat_map(|old| &old.rows);
        names.extend(chunks.filter(|row| !kept.contains(&row.ulid)).map(|row| row.key()));
        Self {
            names,
            head: head.clone(),
        }
    }

    /// # Errors
    /// [`Error::Corrupt`], [`Error::TooLarge`].
    pub(crate) fn encode(&self) -> Result<Bytes, Error> {
        let names = Names {
            names: self.names.clone(),
        };
        let json = serde_json::to_vec(&names).map_err(|error| Error::Corrupt(format!("trash: {error}")))?;
        Ok(frame::close(&json, [&self.head.encode()?]))
    }

    /// # Errors
    /// [`Error::Corrupt`], naming `key`; [`Error::Unsupported`].
    pub(crate) fn decode(key: &str, body: &Bytes) -> Result<Self, Error> {
        let damage = |detail: &str| Error::Corrupt(format!("{key}: {detail}. Delete the object"));
        let (json, blobs_at) = frame::open(body).map_err(damage)?;
        let names: Names = serde_json::from_slice(json).map_err(|error| damage(&error.to_string()))?;
        Ok(Self {
            names: names.names,
            head: FullHead::decode(&body.slice(blobs_at..))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::tests::sample;

    #[test]
    fn comes_back_and_damage_is_an_error() {
        let new = ChunkTable {
            page_size: 512,
            file_bytes: 0,
            rows: Vec::new(),
            chunk_bytes: 512,
        };
        let trash = Trash::of(&sample(), None, &new);
        assert_eq!(trash.names, ["segment/A"]);
        let body = trash.encode().unwrap();
        assert_eq!(Trash::decode("trash/A", &body).unwrap(), trash);
        for at in 0..body.len() {
            let mut damaged = body.to_vec();
            damaged[at] ^= 1;
            let error = Trash::decode("trash/A", &damaged.into()).unwrap_err();
            assert!(matches!(error, Error::Corrupt(_)), "byte {at}: {error}");
        }
    }
}
