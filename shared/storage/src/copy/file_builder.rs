//! [`FileBuilder`]: builds a database file from the base and the deltas of a `head`.
//!
//! The pieces (parts of the base, and deltas) may be written in any order, because the builder remembers for each page
//! how new its content is. A piece never overwrites newer content.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::copy::backend::CopyBackend;
use crate::copy::pages::Pages;
use crate::error::Error;
use crate::format::checksum;
use crate::format::delta::RawDelta;

/// The age of a piece: the base is the oldest, then the deltas follow in the order of their commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Layer(usize);

impl Layer {
    /// Older than every piece.
    const NONE: Self = Self(0);
    pub(crate) const BASE: Self = Self(1);

    /// The layer of the delta with this index.
    pub(crate) fn of_delta(index: usize) -> Self {
        Self(Self::BASE.0 + 1 + index)
    }
}

/// The source of a page, and its hash.
#[derive(Clone, Copy)]
struct WrittenPage {
    layer: Layer,
    /// See [`checksum::page_hash`].
    hash: u64,
}

struct State {
    /// The written pages, by page number.
    pages: HashMap<u32, WrittenPage>,
    /// The layer of the newest piece so far, and its page count.
    page_count: (Layer, u32),
}

/// A database file under construction.
pub(crate) struct FileBuilder {
    path: PathBuf,
    file: Arc<Pages>,
    page_size: u32,
    state: Mutex<State>,
}

impl Drop for FileBuilder {
    /// Removes the file, unless [`FileBuilder::into_parts`] returned it.
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl FileBuilder {
    /// Creates an empty file.
    pub(crate) fn create(backend: &dyn CopyBackend, page_size: u32) -> io::Result<Self> {
        let (path, file) = backend.create_file()?;
        Ok(Self::on(path, file, page_size))
    }

    /// Uses the empty `file` at `path`.
    pub(crate) fn on(path: PathBuf, file: Pages, page_size: u32) -> Self {
        let state = State {
            pages: HashMap::new(),
            page_count: (Layer::NONE, 0),
        };
        Self {
            path,
            file: Arc::new(file),
            page_size,
            state: Mutex::new(state),
        }
    }

    /// Writes the pages of an encoded delta from the object `name`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if `encoded` is not a delta with the page size of this file.
    pub(crate) fn write_delta(&self, layer: Layer, encoded: &[u8], name: &str) -> Result<(), Error> {
        RawDelta::with(encoded, |delta| {
            if delta.page_size != self.page_size {
                return Err(Error::damaged(name, "its page size is not that of `head`"));
            }
            let mut state = self.state();
            state.set_page_count(layer, delta.page_count);
            for (first, pages) in delta.runs() {
                self.write_run(&mut state, layer, first, pages)?;
            }
            Ok(())
        })
        .map_err(|detail| Error::damaged(name, &detail))?
    }

    /// Writes complete pages of the base, from `offset` on. The base is `file_bytes` long.
    pub(crate) fn write_base(&self, file_bytes: u64, offset: u64, raw: &[u8]) -> io::Result<()> {
        let page_size = u64::from(self.page_size);
        let number = |bytes: u64| u32::try_from(bytes / page_size).map_err(io::Error::other);
        let mut state = self.state();
        state.set_page_count(Layer::BASE, number(file_bytes)?);
        self.write_run(&mut state, Layer::BASE, number(offset)?.saturating_add(1), raw)
    }

    /// Writes consecutive pages, except those with newer content.
    fn write_run(&self, state: &mut State, layer: Layer, first: u32, raw: &[u8]) -> io::Result<()> {
        let size = self.page_size as usize;
        let count = u32::try_from(raw.len() / size).map_err(io::Error::other)?;
        let end = first
            .checked_add(count)
            .ok_or_else(|| io::Error::other("more pages than SQLite has"))?;
        let mut number = first;
        while number < end {
            let writable_pages = (number..end)
                .take_while(|number| !state.has_newer(*number, layer))
                .count();
            let from = (number - first) as usize * size;
            let bytes = &raw[from..from + writable_pages * size];
            if writable_pages > 0 {
                let offset = u64::from(number - 1) * u64::from(self.page_size);
                self.file.write_all_at(bytes, offset)?;
            }
            for page in bytes.chunks_exact(size) {
                let hash = checksum::page_hash(self.page_size, number, page);
                state.pages.insert(number, WrittenPage { layer, hash });
                number += 1;
            }
            while number < end && state.has_newer(number, layer) {
                number += 1;
            }
        }
        Ok(())
    }

    /// Returns the page count of the newest piece.
    pub(crate) fn page_count(&self) -> u32 {
        self.state().page_count.1
    }

    /// Sets the length of the file, and returns the checksum of the database.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if pages other than the lock page are missing.
    pub(crate) fn finish(&self) -> Result<u64, Error> {
        let state = self.state();
        let page_count = state.page_count.1;
        let mut sum = 0;
        let mut missing = u64::from(page_count);
        for (_, page) in state.pages.iter().filter(|(number, _)| **number <= page_count) {
            sum ^= page.hash;
            missing -= 1;
        }
        let lock_page = checksum::lock_page(self.page_size);
        let may_miss_lock_page = lock_page <= page_count && !state.pages.contains_key(&lock_page);
        if missing > u64::from(may_miss_lock_page) {
            return Err(Error::Corrupt(format!(
                "{missing} of {page_count} pages are in no object: restore an earlier state"
            )));
        }
        self.file.set_len(u64::from(page_count) * u64::from(self.page_size))?;
        Ok(sum)
    }

    /// Returns the path and the file, which is not removed any more.
    pub(crate) fn into_parts(mut self) -> (PathBuf, Arc<Pages>) {
        (std::mem::take(&mut self.path), Arc::clone(&self.file))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_newer(&self, number: u32, layer: Layer) -> bool {
        self.pages.get(&number).is_some_and(|page| page.layer > layer)
    }

    fn set_page_count(&mut self, layer: Layer, page_count: u32) {
        if layer >= self.page_count.0 {
            self.page_count = (layer, page_count);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::format::delta::Delta;

    const SIZE: usize = 512;

    fn deltas() -> impl Strategy<Value = Vec<Delta>> {
        let page = any::<u8>().prop_map(|byte| Bytes::from(vec![byte; SIZE]));
        let pages = proptest::collection::btree_map(1_u32..12, page, 0..6);
        proptest::collection::vec((pages, 1_u32..12), 1..6).prop_map(|pieces| {
            let mut before = 0;
            let delta = |(mut pages, page_count): (BTreeMap<u32, Bytes>, u32)| {
                pages.retain(|number, _| *number <= page_count);
                let page_size = u32::try_from(SIZE).unwrap();
                let mut delta = Delta {
                    page_size,
                    page_count,
                    pages,
                };
                delta.fill_growth(before);
                before = page_count;
                delta
            };
            pieces.into_iter().map(delta).collect()
        })
    }

    fn in_order(pieces: &[Delta]) -> Vec<u8> {
        let mut file = Vec::new();
        for delta in pieces {
            file.resize(delta.page_count as usize * SIZE, 0);
            for (number, page) in &delta.pages {
                let from = (*number as usize - 1) * SIZE;
                file[from..from + SIZE].copy_from_slice(page);
            }
        }
        file
    }

    proptest! {
        #[test]
        fn order_of_pieces_does_not_matter(
            pieces in deltas(),
            order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let file = Pages::Memory(Mutex::default());
            let builder = FileBuilder::on(PathBuf::new(), file, u32::try_from(SIZE).unwrap());
            for index in order.into_iter().filter(|index| *index < pieces.len()) {
                if index == 0 {
                    let base = in_order(&pieces[..1]);
                    let (file_bytes, middle) = (base.len() as u64, base.len() / SIZE / 2 * SIZE);
                    builder.write_base(file_bytes, middle as u64, &base[middle..]).unwrap();
                    builder.write_base(file_bytes, 0, &base[..middle]).unwrap();
                } else {
                    builder.write_delta(Layer::of_delta(index - 1), &pieces[index].encode().unwrap(), "a delta").unwrap();
                }
            }
            let sum = builder.finish().unwrap();
            let expected = in_order(&pieces);
            let (_, file) = builder.into_parts();
            let mut bytes = vec![1; expected.len()];
            file.read_at_or_zeros(&mut bytes, 0).unwrap();
            prop_assert_eq!(file.len().unwrap(), expected.len() as u64);
            prop_assert!(bytes == expected);
            let pages = (1..).zip(expected.chunks_exact(SIZE));
            prop_assert_eq!(sum, pages.fold(0, |sum, (number, page)| sum ^ checksum::page_hash(512, number, page)));
        }
    }

    #[test]
    fn damaged_or_missing_piece_is_corrupt() {
        let builder = FileBuilder::on(PathBuf::new(), Pages::Memory(Mutex::default()), 512);
        builder.write_base(3 * 512, 512, &[7; 2 * 512]).unwrap();
        let is_corrupt = |error: Error, text: &str| {
            assert!(
                matches!(&error, Error::Corrupt(detail) if detail.contains(text)),
                "{error}"
            );
        };
        is_corrupt(builder.finish().unwrap_err(), "1 of 3 pages");
        let delta = |page_size, page_count, number, bytes| Delta {
            page_size,
            page_count,
            pages: BTreeMap::from([(number, Bytes::from(vec![0; bytes]))]),
        };
        let write = |delta: &[u8]| builder.write_delta(Layer::of_delta(0), delta, "segment/x");
        is_corrupt(
            write(&delta(1024, 1, 1, 1024).encode().unwrap()).unwrap_err(),
            "segment/x: ",
        );
        is_corrupt(write(b"no delta").unwrap_err(), "segment/x: ");
    }

    #[test]
    fn memory_does_not_depend_on_page_numbers() {
        let builder = FileBuilder::on(PathBuf::new(), Pages::File(tempfile::tempfile().unwrap()), 512);
        let far = Delta {
            page_size: 512,
            page_count: 3_000_000_000,
            pages: BTreeMap::from([(2_000_000_000, Bytes::from(vec![0; 512]))]),
        };
        builder
            .write_delta(Layer::of_delta(0), &far.encode().unwrap(), "a delta")
            .unwrap();
        assert!(matches!(builder.finish(), Err(Error::Corrupt(_))));
    }
}
