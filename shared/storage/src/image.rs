//! A database file under construction. Its pieces are laid down in any order; of each page the newest stays.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::catch_up::damaged;
use crate::checksum;
use crate::delta::Unpacked;
use crate::error::Error;
use crate::local::Local;
use crate::pages::Pages;

/// Where a piece stands among those of one database: the base, then the deltas in the order of their commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Layer(usize);

impl Layer {
    /// Nothing was laid here.
    const NONE: Self = Self(0);
    pub(crate) const BASE: Self = Self(1);

    /// The delta with so many before it.
    pub(crate) fn of_delta(index: usize) -> Self {
        Self(Self::BASE.0 + 1 + index)
    }
}

/// What a page of the file holds.
#[derive(Clone, Copy)]
struct Laid {
    layer: Layer,
    /// See [`checksum::of_page`].
    sum: u64,
}

struct State {
    /// By their numbers.
    pages: HashMap<u32, Laid>,
    /// How many pages the newest piece says that there are.
    page_count: (Layer, u32),
}

/// A database file under construction.
pub(crate) struct Image {
    path: PathBuf,
    file: Arc<Pages>,
    page_size: u32,
    state: Mutex<State>,
}

impl Drop for Image {
    /// Removes the file, unless it was kept.
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Image {
    pub(crate) fn create(place: &dyn Local, page_size: u32) -> io::Result<Self> {
        let (path, file) = place.create()?;
        Ok(Self::on(path, file, page_size))
    }

    /// An empty one in `file`, which lies at `path`.
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

    /// Lays down a delta as the store holds it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where `packed`, which is called `name`, is none of this database.
    pub(crate) fn lay_delta(&self, layer: Layer, packed: &[u8], name: &str) -> Result<(), Error> {
        Unpacked::with(packed, |delta| {
            if delta.page_size != self.page_size {
                return Err(damaged(name, "its page size is not that of `head`"));
            }
            let mut state = self.state();
            state.says(layer, delta.page_count);
            for (first, pages) in delta.runs() {
                self.lay(&mut state, layer, first, pages)?;
            }
            Ok(())
        })
        .map_err(|detail| damaged(name, &detail))?
    }

    /// Lays down a piece of the base of a file of `file_bytes`: whole pages, from `offset` on.
    pub(crate) fn lay_base(&self, file_bytes: u64, offset: u64, raw: &[u8]) -> io::Result<()> {
        let page_size = u64::from(self.page_size);
        let number = |bytes: u64| u32::try_from(bytes / page_size).map_err(io::Error::other);
        let mut state = self.state();
        state.says(Layer::BASE, number(file_bytes)?);
        self.lay(&mut state, Layer::BASE, number(offset)?.saturating_add(1), raw)
    }

    fn lay(&self, state: &mut State, layer: Layer, first: u32, raw: &[u8]) -> io::Result<()> {
        let size = self.page_size as usize;
        let count = u32::try_from(raw.len() / size).map_err(io::Error::other)?;
        let end = first
            .checked_add(count)
            .ok_or_else(|| io::Error::other("more pages than SQLite has"))?;
        let mut number = first;
        while number < end {
            let run = (number..end)
                .take_while(|number| !state.has_newer(*number, layer))
                .count();
            let from = (number - first) as usize * size;
            let bytes = &raw[from..from + run * size];
            if run > 0 {
                let offset = u64::from(number - 1) * u64::from(self.page_size);
                self.file.write_all_at(bytes, offset)?;
            }
            for page in bytes.chunks_exact(size) {
                let sum = checksum::of_page(self.page_size, number, page);
                state.pages.insert(number, Laid { layer, sum });
                number += 1;
            }
            while number < end && state.has_newer(number, layer) {
                number += 1;
            }
        }
        Ok(())
    }

    /// How many pages it has.
    pub(crate) fn page_count(&self) -> u32 {
        self.state().page_count.1
    }

    /// Cuts the file to its length, and weighs it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where pages are missing; only the one that SQLite never writes may be.
    pub(crate) fn finish(&self) -> Result<u64, Error> {
        let state = self.state();
        let page_count = state.page_count.1;
        let (mut sum, mut missing) = (0, u64::from(page_count));
        for (_, laid) in state.pages.iter().filter(|(number, _)| **number <= page_count) {
            sum ^= laid.sum;
            missing -= 1;
        }
        let lock_page = checksum::lock_page(self.page_size);
        if missing > u64::from(lock_page <= page_count && !state.pages.contains_key(&lock_page)) {
            return Err(Error::Corrupt(format!(
                "{missing} of {page_count} pages are in no object: restore an earlier state"
            )));
        }
        self.file.set_len(u64::from(page_count) * u64::from(self.page_size))?;
        Ok(sum)
    }

    /// The path and the file, which stays.
    pub(crate) fn keep(mut self) -> (PathBuf, Arc<Pages>) {
        (std::mem::take(&mut self.path), Arc::clone(&self.file))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_newer(&self, number: u32, layer: Layer) -> bool {
        self.pages.get(&number).is_some_and(|laid| laid.layer > layer)
    }

    fn says(&mut self, layer: Layer, page_count: u32) {
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
    use crate::delta::Delta;

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
        fn the_order_in_which_pieces_come_does_not_matter(
            pieces in deltas(),
            order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let file = Pages::Memory(Mutex::default());
            let image = Image::on(PathBuf::new(), file, u32::try_from(SIZE).unwrap());
            for index in order.into_iter().filter(|index| *index < pieces.len()) {
                if index == 0 {
                    let base = in_order(&pieces[..1]);
                    let (file_bytes, middle) = (base.len() as u64, base.len() / SIZE / 2 * SIZE);
                    image.lay_base(file_bytes, middle as u64, &base[middle..]).unwrap();
                    image.lay_base(file_bytes, 0, &base[..middle]).unwrap();
                } else {
                    image.lay_delta(Layer::of_delta(index - 1), &pieces[index].encode().unwrap(), "a delta").unwrap();
                }
            }
            let sum = image.finish().unwrap();
            let wanted = in_order(&pieces);
            let (_, file) = image.keep();
            let mut bytes = vec![1; wanted.len()];
            file.read_at_or_zeros(&mut bytes, 0).unwrap();
            prop_assert_eq!(file.len().unwrap(), wanted.len() as u64);
            prop_assert!(bytes == wanted);
            let pages = (1..).zip(wanted.chunks_exact(SIZE));
            prop_assert_eq!(sum, pages.fold(0, |sum, (number, page)| sum ^ checksum::of_page(512, number, page)));
        }
    }

    #[test]
    fn what_is_damaged_or_incomplete_is_refused() {
        let image = Image::on(PathBuf::new(), Pages::Memory(Mutex::default()), 512);
        image.lay_base(3 * 512, 512, &[7; 2 * 512]).unwrap();
        let refused = |error: Error, text: &str| {
            assert!(
                matches!(&error, Error::Corrupt(detail) if detail.contains(text)),
                "{error}"
            );
        };
        refused(image.finish().unwrap_err(), "1 of 3 pages");
        let delta = |page_size, page_count, number, bytes| Delta {
            page_size,
            page_count,
            pages: BTreeMap::from([(number, Bytes::from(vec![0; bytes]))]),
        };
        let lay = |delta: &[u8]| image.lay_delta(Layer::of_delta(0), delta, "segment/x");
        refused(
            lay(&delta(1024, 1, 1, 1024).encode().unwrap()).unwrap_err(),
            "segment/x: ",
        );
        refused(lay(b"no delta").unwrap_err(), "segment/x: ");
    }

    #[test]
    fn a_page_far_away_costs_no_more_memory_than_another() {
        let image = Image::on(PathBuf::new(), Pages::File(tempfile::tempfile().unwrap()), 512);
        let far = Delta {
            page_size: 512,
            page_count: 3_000_000_000,
            pages: BTreeMap::from([(2_000_000_000, Bytes::from(vec![0; 512]))]),
        };
        image
            .lay_delta(Layer::of_delta(0), &far.encode().unwrap(), "a delta")
            .unwrap();
        assert!(matches!(image.finish(), Err(Error::Corrupt(_))));
    }
}
