//! A delta: the pages that a commit changed, and how many pages the database has after it.
//!
//! It names every page that the database grew by, changed or not, so that applying it gives the same bytes everywhere.
//!
//! Encoded: length of the raw bytes (8 bytes), then zstd over: magic (4), page size (4), page count (4), number of pages n (4),
//! n page numbers (4 each, ascending), n pages. All numbers little-endian.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::checksum::is_lock_page;
use crate::compression;
use crate::error::Error;

const MAGIC: u32 = u32::from_le_bytes(*b"BSD1");
/// Magic, page size, page count, number of pages. Bytes.
const HEADER_BYTES: usize = 16;
/// The length in front. Bytes.
const LENGTH_BYTES: usize = 8;

/// The last image of each page that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delta {
    /// Bytes.
    pub(crate) page_size: u32,
    /// Of the database, after the commit.
    pub(crate) page_count: u32,
    pub(crate) pages: BTreeMap<u32, Bytes>,
}

impl Delta {
    /// Uncompressed size of the pages. Bytes.
    pub(crate) fn raw_bytes(&self) -> u64 {
        self.pages.len() as u64 * u64::from(self.page_size)
    }

    /// Adds zeros for every page behind `old_page_count` that the commit allocated and did not write (SQLite leaves out free
    /// pages), because that is what a file that grows holds there.
    pub(crate) fn fill_growth(&mut self, old_page_count: u32) {
        let zeros = Bytes::from(vec![0; self.page_size as usize]);
        for number in old_page_count.saturating_add(1)..=self.page_count {
            if !is_lock_page(self.page_size, number) {
                self.pages.entry(number).or_insert_with(|| zeros.clone());
            }
        }
    }

    /// One delta that does what all of `deltas` do in order.
    pub(crate) fn merge(deltas: impl IntoIterator<Item = Self>) -> Option<Self> {
        deltas.into_iter().reduce(|mut merged, next| {
            merged.pages.extend(next.pages);
            merged.page_count = next.page_count;
            merged.pages.split_off(&next.page_count.saturating_add(1));
            merged
        })
    }

    /// The same, encoded.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where there are none.
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
        compression::pack_behind(&length, &raw).map(Bytes::from)
    }

    /// # Errors
    /// What is wrong with `bytes`.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        Self::parse(&Self::unpack(bytes)?)
    }

    /// The raw bytes of an encoded delta, as [`Delta::parse`] reads them.
    ///
    /// # Errors
    /// What is wrong with `bytes`.
    pub(crate) fn unpack(bytes: &[u8]) -> Result<Bytes, String> {
        let (length, packed) = split_length(bytes)?;
        Ok(compression::unpack(packed, length)?.into())
    }

    /// # Errors
    /// What is wrong with `raw`.
    pub(crate) fn parse(raw: &Bytes) -> Result<Self, String> {
        let delta = Unpacked::parse(raw)?;
        let size = delta.page_size as usize;
        let pages = delta.pages.chunks_exact(size).map(|page| raw.slice_ref(page));
        Ok(Self {
            page_size: delta.page_size,
            page_count: delta.page_count,
            pages: delta.numbers().zip(pages).collect(),
        })
    }
}

/// A delta as it is encoded, before it is packed.
pub(crate) struct Unpacked<'a> {
    /// Bytes.
    pub(crate) page_size: u32,
    /// Of the database, after the commit.
    pub(crate) page_count: u32,
    numbers: &'a [u8],
    pages: &'a [u8],
}

impl<'a> Unpacked<'a> {
    /// Unpacks `packed`, and hands it to `work`.
    ///
    /// # Errors
    /// What is wrong with `packed`.
    pub(crate) fn with<T>(packed: &[u8], work: impl FnOnce(Unpacked<'_>) -> T) -> Result<T, String> {
        let (length, packed) = split_length(packed)?;
        compression::with_unpacked(packed, length, |raw| Unpacked::parse(raw).map(work))?
    }

    /// # Errors
    /// What is wrong with `raw`.
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
        let first = HEADER_BYTES + count * 4;
        if count as u64 > u64::from(page_count) || raw.len() != first + count * size {
            return Err("a delta whose length does not fit its pages".to_owned());
        }
        let delta = Self {
            page_size,
            page_count,
            numbers: &raw[HEADER_BYTES..first],
            pages: &raw[first..],
        };
        if let Some(number) = delta.numbers().find(|number| *number == 0 || *number > page_count) {
            return Err(format!("a delta with page {number} of {page_count}"));
        }
        Ok(delta)
    }

    fn numbers(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.numbers.as_chunks().0.iter().copied().map(u32::from_le_bytes)
    }

    /// The pages, as many as follow on each other at once: the number of the first, and their bytes.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (u32, &'a [u8])> + use<'a> {
        let mut numbers = self.numbers().peekable();
        let (size, mut rest) = (self.page_size as usize, self.pages);
        std::iter::from_fn(move || {
            let first = numbers.next()?;
            let mut last = first;
            while let Some(next) = numbers.next_if(|next| last.checked_add(1) == Some(*next)) {
                last = next;
            }
            let bytes = (last - first + 1) as usize * size;
            let (run, behind) = rest.split_at_checked(bytes)?;
            rest = behind;
            Some((first, run))
        })
    }
}

/// The number of raw bytes in front, and what follows it.
pub(crate) fn split_length(packed: &[u8]) -> Result<(usize, &[u8]), String> {
    let (length, packed) = packed
        .split_first_chunk::<LENGTH_BYTES>()
        .ok_or("a delta without a length")?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|error| error.to_string())?;
    Ok((length, packed))
}

/// SQLite's page sizes: powers of two from 512 to 65,536 bytes.
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

    /// What a file holds after `deltas`, as the plainest model of it.
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
        fn comes_back_as_it_was(delta in deltas()) {
            prop_assert_eq!(Delta::decode(&delta.encode().unwrap()).unwrap(), delta);
        }

        #[test]
        fn merged_is_the_same_as_one_after_the_other(mut many in proptest::collection::vec(deltas(), 1..6)) {
            let mut before = 0;
            for delta in &mut many {
                delta.fill_growth(before);
                before = delta.page_count;
            }
            let merged = Delta::merge(many.clone()).unwrap();
            prop_assert_eq!(model(std::slice::from_ref(&merged)), model(&many));
            // And on top of any state in between.
            for cut in 1..many.len() {
                let mut upto = many[..cut].to_vec();
                upto.push(merged.clone());
                prop_assert_eq!(model(&upto), model(&many));
            }
        }

        #[test]
        fn damage_is_an_error_and_never_a_panic(delta in deltas(), at in any::<usize>(), to in any::<u8>(), cut in any::<usize>()) {
            let bytes = delta.encode().unwrap();
            let mut damaged = bytes.to_vec();
            let at = at % damaged.len();
            damaged[at] = to;
            let _ = Delta::decode(&damaged);
            prop_assert!(Delta::decode(&bytes[..cut % bytes.len()]).is_err());
        }
    }
}
