//! [`Trash`]: the names of objects that one change of `head` makes useless. They are kept for some days, so that
//! earlier states can be restored.
//!
//! Layout of `trash/<ulid>`: the frame (see `frame`) with the JSON `{names: [...]}`, then the complete `head` before
//! the change.
//!
//! A trash object is stored before the change, which may then fail. Therefore an object is garbage only if the current
//! `head` does not name it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::format::chunk_table::ChunkTable;
use crate::format::frame;
use crate::format::head::Head;

/// The objects that one change of `head` makes useless, and the `head` that named them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trash {
    pub(crate) names: Vec<String>,
    pub(crate) head: Head,
}

#[derive(Serialize, Deserialize)]
struct Names {
    names: Vec<String>,
}

impl Trash {
    /// Lists the objects of `head` that a new base does not use. `old` is the chunk table of `head`, and `new` that of the
    /// new base.
    pub(crate) fn of_new_base(head: &Head, old: Option<&ChunkTable>, new: &ChunkTable) -> Self {
        let reused: std::collections::HashSet<_> = new.rows.iter().map(|row| row.ulid).collect();
        let mut names: Vec<_> = head.json.segments.iter().map(|segment| segment.key.clone()).collect();
        names.extend(head.json.base.table.clone());
        let chunks = old.iter().flat_map(|old| &old.rows);
        names.extend(chunks.filter(|row| !reused.contains(&row.ulid)).map(|row| row.key()));
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
        Ok(frame::encode(&json, [&self.head.encode()?]))
    }

    /// # Errors
    /// [`Error::Corrupt`], which names `key`, or [`Error::Unsupported`].
    pub(crate) fn decode(key: &str, body: &Bytes) -> Result<Self, Error> {
        let damage = |detail: &str| Error::Corrupt(format!("{key}: {detail}. Delete the object"));
        let (json, blobs_at) = frame::decode(body).map_err(damage)?;
        let names: Names = serde_json::from_slice(json).map_err(|error| damage(&error.to_string()))?;
        Ok(Self {
            names: names.names,
            head: Head::decode(&body.slice(blobs_at..))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::head::tests::sample;

    #[test]
    fn trash_survives_a_round_trip_and_damage_is_an_error() {
        let new = ChunkTable {
            page_size: 512,
            file_bytes: 0,
            rows: Vec::new(),
            chunk_bytes: 512,
        };
        let trash = Trash::of_new_base(&sample(), None, &new);
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
