//! A database file under construction. Its pieces are laid down in any order; of each page the newest stays.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// Page 1 first.
    pages: Vec<Laid>,
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
            pages: Vec::new(),
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
        let (from, count) = (first as usize - 1, raw.len() / size);
        let empty = Laid {
            layer: Layer::NONE,
            sum: 0,
        };
        if state.pages.len() < from + count {
            state.pages.resize(from + count, empty);
        }
        let older = |laid: &Laid| laid.layer <= layer;
        let pages = &mut state.pages[from..from + count];
        let mut at = 0;
        while at < count {
            let run = pages[at..].iter().take_while(|laid| older(laid)).count();
            let bytes = &raw[at * size..(at + run) * size];
            if run > 0 {
                let offset = (from + at) as u64 * u64::from(self.page_size);
                self.file.write_all_at(bytes, offset)?;
            }
            let numbers = first + u32::try_from(at).map_err(io::Error::other)?..;
            for ((laid, page), number) in pages[at..].iter_mut().zip(bytes.chunks_exact(size)).zip(numbers) {
                let sum = checksum::of_page(self.page_size, number, page);
                *laid = Laid { layer, sum };
            }
            at += run;
            at += pages[at..].iter().take_while(|laid| !older(laid)).count();
        }
        Ok(())
    }

    /// How many pages it has.
    pub(crate) fn page_count(&self) -> u32 {
        self.state().page_count.1
    }

    /// Cuts or extends the file to its length, and weighs it: the checksum of what was laid. The rest holds zeros.
    pub(crate) fn finish(&self) -> io::Result<u64> {
        let mut state = self.state();
        let page_count = state.page_count.1;
        self.file.set_len(u64::from(page_count) * u64::from(self.page_size))?;
        state.pages.truncate(page_count as usize);
        let laid = state.pages.iter().map(|laid| laid.layer != Layer::NONE);
        let missing = (1..=page_count).zip(laid.chain(std::iter::repeat(false)));
        let zeros = vec![0; self.page_size as usize];
        let of_zeros = missing.filter(|(_, laid)| !laid).fold(0, |sum, (number, _)| {
            sum ^ checksum::of_page(self.page_size, number, &zeros)
        });
        Ok(state.pages.iter().fold(of_zeros, |sum, laid| sum ^ laid.sum))
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
    fn what_nobody_laid_holds_zeros_and_what_is_damaged_is_refused() {
        let image = Image::on(PathBuf::new(), Pages::Memory(Mutex::default()), 512);
        image.lay_base(3 * 512, 512, &[7; 512]).unwrap();
        let page = |number, byte| checksum::of_page(512, number, &[byte; 512]);
        assert_eq!(image.finish().unwrap(), page(1, 0) ^ page(2, 7) ^ page(3, 0));
        assert_eq!(image.page_count(), 3);
        let other = Delta {
            page_size: 1024,
            page_count: 1,
            pages: BTreeMap::new(),
        };
        for packed in [&other.encode().unwrap()[..], b"no delta"] {
            let error = image.lay_delta(Layer::of_delta(0), packed, "segment/x").unwrap_err();
            assert!(
                matches!(&error, Error::Corrupt(detail) if detail.starts_with("segment/x: ")),
                "{error}"
            );
        }
    }
}
