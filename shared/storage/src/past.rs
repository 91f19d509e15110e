//! One state of the database, to be read while the local copy goes on: what a change replaces is kept here first.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;

use crate::delta::Delta;
use crate::pages::Pages;

/// One state. What it keeps grows with what is changed as long as somebody holds it.
pub(crate) struct Past {
    pub(crate) page_count: u32,
    /// Bytes.
    page_size: u32,
    /// The local copy that it began on.
    file: Arc<Pages>,
    /// The pages that the local copy does not hold as they were; none where one of them could not be kept.
    pages: Mutex<Option<BTreeMap<u32, Bytes>>>,
}

/// The states of one local copy that somebody reads.
#[derive(Default)]
pub(crate) struct Pasts(Mutex<Vec<Weak<Past>>>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Past {
    /// Fills `buffer` from `offset` as the state holds it. Nobody may change `file`, the local copy as it is now, meanwhile.
    /// Returns whether that can be done: another copy may have taken its place.
    pub(crate) fn read_at(&self, file: &Arc<Pages>, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
        let pages = locked(&self.pages);
        let Some(pages) = pages.as_ref().filter(|_| Arc::ptr_eq(&self.file, file)) else {
            return Ok(false);
        };
        file.read_at_or_zeros(buffer, offset)?;
        let page_size = self.page_size as usize;
        let first = u32::try_from(offset / page_size as u64 + 1).unwrap_or(u32::MAX);
        let last = first.saturating_add(u32::try_from(buffer.len() / page_size).unwrap_or(u32::MAX));
        for (number, page) in pages.range(first..last) {
            let at = (number - first) as usize * page_size;
            buffer[at..at + page_size].copy_from_slice(page);
        }
        Ok(true)
    }

    /// Keeps the page of that number, unless it is kept already or the state does not have it.
    fn keep(&self, number: u32) {
        let mut pages = locked(&self.pages);
        let Some(kept) = pages.as_mut().filter(|_| number <= self.page_count) else {
            return;
        };
        if kept.contains_key(&number) {
            return;
        }
        let mut page = vec![0; self.page_size as usize];
        let offset = u64::from(number - 1) * u64::from(self.page_size);
        match self.file.read_at_or_zeros(&mut page, offset) {
            Ok(()) => drop(kept.insert(number, page.into())),
            Err(_) => *pages = None,
        }
    }
}

impl Pasts {
    /// The state that `file` holds now, of `page_count` pages, or will hold with `staged` over it.
    pub(crate) fn begin(
        &self,
        file: &Arc<Pages>,
        page_size: u32,
        page_count: u32,
        staged: Option<&Delta>,
    ) -> Arc<Past> {
        let past = Arc::new(Past {
            page_count: staged.map_or(page_count, |staged| staged.page_count),
            page_size,
            file: Arc::clone(file),
            pages: Mutex::new(Some(staged.map_or_else(BTreeMap::new, |staged| staged.pages.clone()))),
        });
        locked(&self.0).push(Arc::downgrade(&past));
        past
    }

    /// To be called before `delta` is written over a file of `page_count` pages.
    pub(crate) fn keep(&self, page_count: u32, delta: &Delta) {
        let mut pasts = locked(&self.0);
        pasts.retain(|past| past.strong_count() > 0);
        for past in pasts.iter().filter_map(Weak::upgrade) {
            let cut_off = delta.page_count.saturating_add(1)..=page_count;
            delta
                .pages
                .keys()
                .copied()
                .chain(cut_off)
                .for_each(|number| past.keep(number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(byte: u8) -> Bytes {
        vec![byte; 512].into()
    }

    fn delta(page_count: u32, pages: &[(u32, u8)]) -> Delta {
        Delta {
            page_size: 512,
            page_count,
            pages: pages.iter().map(|(number, byte)| (*number, page(*byte))).collect(),
        }
    }

    fn write(pasts: &Pasts, file: &Pages, page_count: u32, delta: &Delta) {
        pasts.keep(page_count, delta);
        file.set_len(u64::from(delta.page_count) * 512).unwrap();
        for (number, page) in &delta.pages {
            file.write_all_at(page, u64::from(number - 1) * 512).unwrap();
        }
    }

    fn bytes_of(past: &Past, file: &Arc<Pages>) -> Vec<u8> {
        let mut bytes = vec![9; past.page_count as usize * 512];
        assert!(past.read_at(file, &mut bytes, 0).unwrap());
        bytes.chunks(512).map(|page| page[0]).collect()
    }

    #[test]
    fn a_state_stays_what_it_was_while_the_file_grows_shrinks_and_grows_again() {
        let (file, pasts) = (Arc::new(Pages::Memory(Mutex::default())), Pasts::default());
        write(&pasts, &file, 0, &delta(3, &[(1, 1), (2, 2), (3, 3)]));
        let past = pasts.begin(&file, 512, 3, None);
        let with_staged = pasts.begin(&file, 512, 3, Some(&delta(4, &[(2, 20), (4, 40)])));
        write(&pasts, &file, 3, &delta(1, &[(1, 11)]));
        let short = pasts.begin(&file, 512, 1, None);
        write(&pasts, &file, 1, &delta(5, &[(2, 12), (3, 13), (4, 14), (5, 15)]));
        assert_eq!(bytes_of(&past, &file), [1, 2, 3]);
        assert_eq!(bytes_of(&with_staged, &file), [1, 20, 3, 40]);
        assert_eq!(bytes_of(&short, &file), [11]);
        let mut second = [0; 512];
        assert!(past.read_at(&file, &mut second, 512).unwrap());
        assert_eq!(second, *page(2));
    }

    #[test]
    fn a_state_of_another_file_cannot_be_read() {
        let (file, pasts) = (Arc::new(Pages::Memory(Mutex::default())), Pasts::default());
        let past = pasts.begin(&file, 512, 1, None);
        let other = Arc::new(Pages::Memory(Mutex::default()));
        assert!(!past.read_at(&other, &mut [0; 512], 0).unwrap());
    }

    #[test]
    fn what_nobody_holds_is_forgotten() {
        let (file, pasts) = (Arc::new(Pages::Memory(Mutex::default())), Pasts::default());
        drop(pasts.begin(&file, 512, 1, None));
        pasts.keep(1, &delta(1, &[(1, 1)]));
        assert!(locked(&pasts.0).is_empty());
    }
}
