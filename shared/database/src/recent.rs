//! What was read last and is asked for again and again: kept as long as the database has not changed.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bespoke_core::EntityId;
use bespoke_core::entity::set::MeasurementSet;
use bespoke_core::entity::user::Standing;
use bespoke_core::measurement::StoredMeasurements;
use uuid::Uuid;

use crate::api_keys::Credential;
use crate::{Db, Result, Version};

/// What is kept of each kind at most; with more than that all of that kind is forgotten. Bytes, as near as it matters.
const MAX_BYTES: usize = 24 * 1024 * 1024;
/// What an entry takes beside its texts. Bytes.
const ENTRY_BYTES: usize = 512;

/// What one process keeps.
#[derive(Default)]
pub(crate) struct Recent {
    pub(crate) credentials: Shelf<Uuid, Credential>,
    pub(crate) standings: Shelf<i64, Standing>,
    pub(crate) sets: Shelf<EntityId, MeasurementSet<StoredMeasurements>>,
}

/// What is kept, for a read of that version.
#[derive(Clone, Copy)]
pub(crate) struct RecentAt<'a> {
    pub(crate) recent: &'a Recent,
    pub(crate) version: Version,
}

impl Db<'_> {
    /// What stands under `key`, as the process has it on a shelf or as `read` finds it.
    pub(crate) fn recent<K: Hash + Eq, V: Texts>(
        &self,
        shelf: impl FnOnce(&Recent) -> &Shelf<K, V>,
        key: K,
        read: impl FnOnce() -> Result<Option<V>>,
    ) -> Result<Option<Arc<V>>> {
        match self.recent {
            Some(RecentAt { recent, version }) => shelf(recent).get_or_read(version, key, read),
            None => Ok(read()?.map(Arc::new)),
        }
    }
}

/// What is kept of one kind, all of one version.
pub(crate) struct Shelf<K, V>(Mutex<Kept<K, V>>);

struct Kept<K, V> {
    of: Version,
    bytes: usize,
    entries: HashMap<K, Arc<V>>,
}

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Kept {
            of: Version::default(),
            bytes: 0,
            entries: HashMap::new(),
        }))
    }
}

/// What of an entry can be large.
pub(crate) trait Texts {
    /// The length of its texts. Bytes.
    fn bytes(&self) -> usize {
        0
    }
}

impl Texts for Credential {}

impl Texts for Standing {}

impl Texts for MeasurementSet<StoredMeasurements> {
    fn bytes(&self) -> usize {
        self.content.name.len() + self.content.notes.len() + self.content.measies.get().len()
    }
}

impl<K: Hash + Eq, V: Texts> Shelf<K, V> {
    fn lock(&self) -> MutexGuard<'_, Kept<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What stands under `key` in that version: as it is kept, or as `read` finds it. That there is nothing is not kept, so that
    /// nobody fills the shelf with what there is not.
    pub(crate) fn get_or_read(
        &self,
        version: Version,
        key: K,
        read: impl FnOnce() -> Result<Option<V>>,
    ) -> Result<Option<Arc<V>>> {
        {
            let mut kept = self.lock();
            if kept.of != version {
                kept.clear(version);
            }
            if let Some(value) = kept.entries.get(&key) {
                return Ok(Some(Arc::clone(value)));
            }
        }
        let Some(value) = read()?.map(Arc::new) else {
            return Ok(None);
        };
        let mut kept = self.lock();
        // Reads of different versions do not overlap in a process, but nothing here depends on that.
        if kept.of == version {
            let bytes = ENTRY_BYTES + value.bytes();
            if kept.bytes + bytes > MAX_BYTES {
                kept.clear(version);
            }
            kept.bytes += bytes;
            kept.entries.insert(key, Arc::clone(&value));
        }
        Ok(Some(value))
    }
}

impl<K, V> Kept<K, V> {
    fn clear(&mut self, of: Version) {
        self.entries.clear();
        (self.of, self.bytes) = (of, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Texts for String {
        fn bytes(&self) -> usize {
            self.len()
        }
    }

    fn at(seq: u64) -> Version {
        Version { epoch: 1, seq }
    }

    fn never() -> Result<Option<String>> {
        panic!("it is kept");
    }

    #[test]
    fn what_was_read_is_kept_until_the_database_changes() {
        let shelf = Shelf::default();
        let text = |version, read: fn() -> Result<Option<String>>| {
            let found = shelf.get_or_read(version, 1, read).unwrap();
            found.map(|text| text.to_string())
        };
        assert_eq!(text(at(1), || Ok(None)), None);
        assert_eq!(text(at(1), || Ok(Some("one".into()))).as_deref(), Some("one"));
        assert_eq!(text(at(1), never).as_deref(), Some("one"));
        assert_eq!(text(at(2), || Ok(Some("two".into()))).as_deref(), Some("two"));
        assert_eq!(text(at(1), || Ok(Some("one".into()))).as_deref(), Some("one"));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let shelf = Shelf::default();
        for key in 0..20 {
            let large = || Ok(Some("x".repeat(MAX_BYTES / 4)));
            shelf.get_or_read(at(1), key, large).unwrap();
            assert!(shelf.lock().bytes <= MAX_BYTES && shelf.lock().entries.len() <= 3);
        }
    }
}
