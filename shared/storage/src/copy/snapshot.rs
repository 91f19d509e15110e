//! [`Snapshot`]: a copy-on-write snapshot of the database.
//!
//! A compaction reads one state while commits change the local copy. Before a page of the copy is overwritten, its old
//! content is saved in every snapshot that still exists. The memory of a snapshot therefore grows with the number of
//! pages that change while it exists.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;

use crate::copy::pages::Pages;
use crate::format::delta::Delta;

/// One state of the database.
pub(crate) struct Snapshot {
    pub(crate) page_count: u32,
    /// Bytes.
    page_size: u32,
    /// The file of the local copy when the snapshot was taken.
    file: Arc<Pages>,
    /// The pages that have changed since, by number, with their old content. `None` if a page could not be saved.
    saved_pages: Mutex<Option<BTreeMap<u32, Bytes>>>,
}

/// The snapshots of one local copy.
#[derive(Default)]
pub(crate) struct Snapshots(Mutex<Vec<Weak<Snapshot>>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Snapshot {
    /// Fills `buffer` from `offset` of the snapshot. The caller must prevent changes of `file`, the current file of the
    /// local copy.
    ///
    /// Returns `false` if the snapshot can no longer be read, for example because the copy has another file now.
    pub(crate) fn read_at(&self, file: &Arc<Pages>, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
        let saved = lock(&self.saved_pages);
        let Some(saved) = saved.as_ref().filter(|_| Arc::ptr_eq(&self.file, file)) else {
            return Ok(false);
        };
        file.read_at_or_zeros(buffer, offset)?;
        let page_size = self.page_size as usize;
        let first = u32::try_from(offset / page_size as u64 + 1).unwrap_or(u32::MAX);
        let last = first.saturating_add(u32::try_from(buffer.len() / page_size).unwrap_or(u32::MAX));
        for (number, page) in saved.range(first..last) {
            let at = (number - first) as usize * page_size;
            buffer[at..at + page_size].copy_from_slice(page);
        }
        Ok(true)
    }

    /// Saves a page, unless it is saved already or the snapshot does not contain it.
    fn save(&self, number: u32) {
        let mut saved_pages = lock(&self.saved_pages);
        let Some(saved) = saved_pages.as_mut().filter(|_| number <= self.page_count) else {
            return;
        };
        if saved.contains_key(&number) {
            return;
        }
        let mut page = vec![0; self.page_size as usize];
        let offset = u64::from(number - 1) * u64::from(self.page_size);
        match self.file.read_at_or_zeros(&mut page, offset) {
            Ok(()) => drop(saved.insert(number, page.into())),
            Err(_) => *saved_pages = None,
        }
    }
}

impl Snapshots {
    /// Takes a snapshot of `file`, which has `page_count` pages, or of its state after `staged`.
    pub(crate) fn take(
        &self,
        file: &Arc<Pages>,
        page_size: u32,
        page_count: u32,
        staged: Option<&Delta>,
    ) -> Arc<Snapshot> {
        let snapshot = Arc::new(Snapshot {
            page_count: staged.map_or(page_count, |staged| staged.page_count),
            page_size,
            file: Arc::clone(file),
            saved_pages: Mutex::new(Some(staged.map_or_else(BTreeMap::new, |staged| staged.pages.clone()))),
        });
        lock(&self.0).push(Arc::downgrade(&snapshot));
        snapshot
    }

    /// Saves the pages that `delta` replaces or cuts off. It must be called before `delta` is written to the file of
    /// `page_count` pages.
    pub(crate) fn save_replaced_pages(&self, page_count: u32, delta: &Delta) {
        let mut snapshots = lock(&self.0);
        snapshots.retain(|snapshot| snapshot.strong_count() > 0);
        for snapshot in snapshots.iter().filter_map(Weak::upgrade) {
            let truncated = delta.page_count.saturating_add(1)..=page_count;
            delta
                .pages
                .keys()
                .copied()
                .chain(truncated)
                .for_each(|number| snapshot.save(number));
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

    fn write(snapshots: &Snapshots, file: &Pages, page_count: u32, delta: &Delta) {
        snapshots.save_replaced_pages(page_count, delta);
        file.set_len(u64::from(delta.page_count) * 512).unwrap();
        for (number, page) in &delta.pages {
            file.write_all_at(page, u64::from(number - 1) * 512).unwrap();
        }
    }

    fn bytes_of(snapshot: &Snapshot, file: &Arc<Pages>) -> Vec<u8> {
        let mut bytes = vec![9; snapshot.page_count as usize * 512];
        assert!(snapshot.read_at(file, &mut bytes, 0).unwrap());
        bytes.chunks(512).map(|page| page[0]).collect()
    }

    #[test]
    fn snapshot_is_unaffected_by_growth_and_truncation() {
        let (file, snapshots) = (Arc::new(Pages::Memory(Mutex::default())), Snapshots::default());
        write(&snapshots, &file, 0, &delta(3, &[(1, 1), (2, 2), (3, 3)]));
        let snapshot = snapshots.take(&file, 512, 3, None);
        let with_staged = snapshots.take(&file, 512, 3, Some(&delta(4, &[(2, 20), (4, 40)])));
        write(&snapshots, &file, 3, &delta(1, &[(1, 11)]));
        let short = snapshots.take(&file, 512, 1, None);
        write(&snapshots, &file, 1, &delta(5, &[(2, 12), (3, 13), (4, 14), (5, 15)]));
        assert_eq!(bytes_of(&snapshot, &file), [1, 2, 3]);
        assert_eq!(bytes_of(&with_staged, &file), [1, 20, 3, 40]);
        assert_eq!(bytes_of(&short, &file), [11]);
        let mut second = [0; 512];
        assert!(snapshot.read_at(&file, &mut second, 512).unwrap());
        assert_eq!(second, *page(2));
    }

    #[test]
    fn snapshot_of_another_file_cannot_be_read() {
        let (file, snapshots) = (Arc::new(Pages::Memory(Mutex::default())), Snapshots::default());
        let snapshot = snapshots.take(&file, 512, 1, None);
        let other = Arc::new(Pages::Memory(Mutex::default()));
        assert!(!snapshot.read_at(&other, &mut [0; 512], 0).unwrap());
    }

    #[test]
    fn dropped_snapshot_is_forgotten() {
        let (file, snapshots) = (Arc::new(Pages::Memory(Mutex::default())), Snapshots::default());
        drop(snapshots.take(&file, 512, 1, None));
        snapshots.save_replaced_pages(1, &delta(1, &[(1, 1)]));
        assert!(lock(&snapshots.0).is_empty());
    }
}
