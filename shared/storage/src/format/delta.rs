//! [`Delta`]: the pages that a commit changed, and the page count of the database after it.
//!
//! A delta contains every page by which the database grew, even if SQLite did not write it, so that every process gets
//! the same bytes when it applies the delta.
//!
//! Layout: length of the raw bytes (8 bytes), then one zstd frame of the raw bytes: magic (4), page size (4), page
//! count (4), number of pages n (4), n page numbers (4 each, ascending), n pages. Numbers are little-endian.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::error::Error;
use crate::format::checksum::is_lock_page;
use crate::format::compression;

const MAGIC: u32 = u32::from_le_bytes(*b"BSD1");
/// Length of the header: magic, page size, page count, number of pages, in bytes.
const HEADER_BYTES: usize = 16;
/// Length of the number before the zstd frame, in bytes.
const LENGTH_BYTES: usize = 8;

/// The last content of each page that a commit changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delta {
    /// Bytes.
    pub(crate) page_size: u32,
    /// Page count of the database after the commit.
    pub(crate) page_count: u32,
    /// Contents by page number, which begins with 1.
    pub(crate) pages: BTreeMap<u32, Bytes>,
}

impl Delta {
    /// Returns the uncompressed size of the pages in bytes.
    pub(crate) fn raw_bytes(&self) -> u64 {
        self.pages.len() as u64 * u64::from(self.page_size)
    }

    /// Adds a page of zeros for every page after `old_page_count` that the commit allocated and did not write. SQLite
    /// does not write free pages, and a growing file contains zeros there.
    pub(crate) fn fill_growth(&mut self, old_page_count: u32) {
        let zeros = Bytes::from(vec![0; self.page_size as usize]);
        for number in old_page_count.saturating_add(1)..=self.page_count {
            if !is_lock_page(self.page_size, number) {
                self.pages.entry(number).or_insert_with(|| zeros.clone());
            }
        }
    }

    /// Merges `deltas`, in order, into one delta with the same effect. `None` if there are none.
    pub(crate) fn merge(deltas: impl IntoIterator<Item = Self>) -> Option<Self> {
        deltas.into_iter().reduce(|mut merged, next| {
            merged.pages.extend(next.pages);
            merged.page_count = next.page_count;
            merged.pages.split_off(&next.page_count.saturating_add(1));
            merged
        })
    }

    /// Merges `deltas` as [`Delta::merge`] does, and encodes the result.
    ///
    /// # Errors
    /// [`Error::Corrupt`] without any delta.
    pub(crate) fn encode_merged(deltas: impl IntoIterator<Item = Self>) -> Result<Bytes, Error> {
        let merged = Self::merge(deltas).ok_or_else(|| Error::Corrupt("no deltas to merge".to_owned()))?;
        Ok(merged.encode()?)
    }

    pub(crate) fn encode(&self) -> std::io::Result<Bytes> {
        let count = u32::try_from(self.pages.len()).map_err(std::io::Error::other)?;
        let mut raw = Vec::with_capacity(HEADER_BYTES + self.pages.len() * (4 + self.page_size as usize));
        for number in [MAGIC, self.page_size, self.page_count, count]
            .iter()
            .chain(self.pages.keys())
        {
            raw.extend(number.to_le_bytes());
        }
        for page in self.pages.values() {
            raw.extend_from_slice(page);
        }
        let length = (raw.len() as u64).to_le_bytes();
        compression::compress_after(&length, &raw).map(Bytes::from)
    }

    /// # Errors
    /// Returns a description of the damage.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        Self::parse(&Self::decompress(bytes)?)
    }

    /// Returns the raw bytes of an encoded delta, for [`Delta::parse`].
    ///
    /// # Errors
    /// Returns a description of the damage.
    pub(crate) fn decompress(bytes: &[u8]) -> Result<Bytes, String> {
        let (length, compressed) = split_length(bytes)?;
        Ok(compression::decompress(compressed, length)?.into())
    }

    /// Parses raw bytes.
    ///
    /// # Errors
    /// Returns a description of the damage.
    pub(crate) fn parse(raw: &Bytes) -> Result<Self, String> {
        let delta = RawDelta::parse(raw)?;
        let size = delta.page_size as usize;
        let pages = delta.pages.chunks_exact(size).map(|page| raw.slice_ref(page));
        Ok(Self {
            page_size: delta.page_size,
            page_count: delta.page_count,
            pages: delta.numbers().zip(pages).collect(),
        })
    }
}

/// A view of the raw bytes of a delta, without a copy of its pages.
pub(crate) struct RawDelta<'a> {
    /// Bytes.
    pub(crate) page_size: u32,
    /// Page count of the database after the commit.
    pub(crate) page_count: u32,
    numbers: &'a [u8],
    pages: &'a [u8],
}

impl<'a> RawDelta<'a> {
    /// Decompresses an encoded delta into the buffer of this thread, and calls `work` with it.
    ///
    /// # Errors
    /// Returns a description of the damage.
    pub(crate) fn with<T>(encoded: &[u8], work: impl FnOnce(RawDelta<'_>) -> T) -> Result<T, String> {
        let (length, compressed) = split_length(encoded)?;
        compression::with_decompressed(compressed, length, |raw| RawDelta::parse(raw).map(work))?
    }

    /// # Errors
    /// Returns a description of the damage.
    fn parse(raw: &'a [u8]) -> Result<Self, String> {
        let word = |index: usize| {
            let at = index * 4;
            let bytes = raw.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u32::from_le_bytes).ok_or("a delta that ends early")
        };
        let (page_size, page_count, count) = (word(1)?, word(2)?, word(3)? as usize);
        if word(0)? != MAGIC || !is_page_size(page_size) {
            return Err("not a delta".to_owned());
        }
        let size = page_size as usize;
        let pages_at = HEADER_BYTES + count * 4;
        if count as u64 > u64::from(page_count) || raw.len() != pages_at + count * size {
            return Err("a delta whose length does not match its pages".to_owned());
        }
        let delta = Self {
            page_size,
            page_count,
            numbers: &raw[HEADER_BYTES..pages_at],
            pages: &raw[pages_at..],
        };
        if let Some(number) = delta.numbers().find(|number| *number == 0 || *number > page_count) {
            return Err(format!("a delta with page {number} of {page_count}"));
        }
        Ok(delta)
    }

    fn numbers(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.numbers.as_chunks().0.iter().copied().map(u32::from_le_bytes)
    }

    /// Returns the pages as runs of consecutive numbers: the number of the first page, and the bytes of all.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (u32, &'a [u8])> + use<'a> {
        let mut numbers = self.numbers().peekable();
        let size = self.page_size as usize;
        let mut rest = self.pages;
        std::iter::from_fn(move || {
            let first = numbers.next()?;
            let mut last = first;
            while let Some(next) = numbers.next_if(|next| last.checked_add(1) == Some(*next)) {
                last = next;
            }
            let bytes = (last - first + 1) as usize * size;
            let (run, remaining) = rest.split_at_checked(bytes)?;
            rest = remaining;
            Some((first, run))
        })
    }
}

/// Splits an encoded delta into the number of its raw bytes and the compressed bytes.
pub(crate) fn split_length(encoded: &[u8]) -> Result<(usize, &[u8]), String> {
    let (length, compressed) = encoded
        .split_first_chunk::<LENGTH_BYTES>()
        .ok_or("a delta without a length")?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|error| error.to_string())?;
    Ok((length, compressed))
}

/// Returns whether SQLite supports this page size: powers of two from 512 to 65,536 bytes.
pub(crate) fn is_page_size(bytes: u32) -> bool {
    bytes.is_power_of_two() && (512..=65_536).contains(&bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn deltas() -> impl Strategy<Value = Delta> {
        let page = proptest::collection::vec(any::<u8>(), 512);
        let pages = proptest::collection::btree_map(1_u32..40, page, 0..12);
        (pages, 0_u32..5).prop_map(|(pages, more)| Delta {
            page_size: 512,
            page_count: pages.keys().last().copied().unwrap_or(1) + more,
            pages: pages
                .into_iter()
                .map(|(number, page)| (number, Bytes::from(page)))
                .collect(),
        })
    }

    /// Applies `deltas` to an empty file in the simplest way.
    fn model(deltas: &[Delta]) -> Vec<u8> {
        let mut file = Vec::new();
        for delta in deltas {
            for (number, page) in &delta.pages {
                let from = (*number as usize - 1) * 512;
                if file.len() < from + 512 {
                    file.resize(from + 512, 0);
                }
                file[from..from + 512].copy_from_slice(page);
            }
            file.resize(delta.page_count as usize * 512, 0);
        }
        file
    }

    proptest! {
        #[test]
        fn delta_survives_a_round_trip(delta in deltas()) {
            prop_assert_eq!(Delta::decode(&delta.encode().unwrap()).unwrap(), delta);
        }

        #[test]
        fn merged_delta_equals_its_parts_in_order(mut many in proptest::collection::vec(deltas(), 1..6)) {
            let mut before = 0;
            for delta in &mut many {
                delta.fill_growth(before);
                before = delta.page_count;
            }
            let merged = Delta::merge(many.clone()).unwrap();
            prop_assert_eq!(model(std::slice::from_ref(&merged)), model(&many));
            // The merged delta can also be applied to every state in between.
            for cut in 1..many.len() {
                let mut upto = many[..cut].to_vec();
                upto.push(merged.clone());
                prop_assert_eq!(model(&upto), model(&many));
            }
        }

        #[test]
        fn damaged_delta_never_panics(delta in deltas(), at in any::<usize>(), to in any::<u8>(), cut in any::<usize>()) {
            let bytes = delta.encode().unwrap();
            let mut damaged = bytes.to_vec();
            let at = at % damaged.len();
            damaged[at] = to;
            let _ = Delta::decode(&damaged);
            prop_assert!(Delta::decode(&bytes[..cut % bytes.len()]).is_err());
        }
    }
}
