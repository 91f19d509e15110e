//! [`Cache`]: a cache whose values are all of one version of the database.

use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bespoke_storage::{Change, Version};
use hashbrown::HashMap;

use crate::error::Result;

/// Maximum size of the cache of each kind, in bytes. Before it grows larger, all entries of that kind are removed.
const MAX_BYTES: usize = 24 * 1024 * 1024;
/// Maximum size of an entry without texts of any length, in bytes. An API key has up to 32 networks.
const ENTRY_BYTES: usize = 1024;

/// Cached values of one kind, all of one version.
pub(crate) struct Cache<K, V>(Mutex<Entries<K, V>>);

struct Entries<K, V> {
    /// The version of the database for which all entries are valid.
    version: Version,
    /// The size of all entries.
    bytes: usize,
    entries: HashMap<K, Entry<V>>,
}

struct Entry<V> {
    value: Arc<V>,
    /// The version at which it was read.
    read_at: Version,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Entries {
            version: Version::default(),
            bytes: 0,
            entries: HashMap::new(),
        }))
    }
}

/// A value that can be cached.
pub(crate) trait Cacheable {
    /// Returns the memory of its texts, which can be large, and of the response that is cached with it, in bytes.
    fn bytes(&self) -> usize {
        0
    }

    /// Returns whether the value equals the one that was read now.
    fn is_still(&self, now: &Self) -> bool;
}

impl<K: Hash + Eq, V: Cacheable> Cache<K, V> {
    /// Removes outdated entries, and moves the others to the version after `change`. Outdated are all entries if
    /// `all_outdated` is true, otherwise those of `keys`.
    pub(super) fn follow(&self, change: &Change<'_>, all_outdated: bool, keys: impl IntoIterator<Item = K>) {
        let mut entries = self.lock();
        if entries.version != change.from {
            return;
        }
        if all_outdated {
            entries.clear(change.to);
        }
        entries.version = change.to;
        for key in keys {
            entries.remove(&key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the value of `key` at this version from the cache, or reads and caches it. Missing records are not cached,
    /// so that requests for ids that do not exist cannot fill the cache.
    pub(crate) fn get_or_read(
        &self,
        version: Version,
        key: K,
        read: impl FnOnce() -> Result<Option<V>>,
    ) -> Result<Option<Arc<V>>> {
        {
            let mut entries = self.lock();
            if entries.version != version {
                entries.clear(version);
            }
            if let Some(entry) = entries.entries.get(&key) {
                let (value, read_at) = (Arc::clone(&entry.value), entry.read_at);
                drop(entries);
                if cfg!(debug_assertions) && read_at != version {
                    let stored = read()?;
                    assert!(
                        stored.is_some_and(|stored| value.is_still(&stored)),
                        "stale cache entries from {read_at} to {version}"
                    );
                }
                return Ok(Some(value));
            }
        }
        let Some(value) = read()?.map(Arc::new) else {
            return Ok(None);
        };
        let mut entries = self.lock();
        // Reads of different versions do not overlap in a process, but nothing here depends on that.
        if entries.version == version {
            entries.insert(key, Arc::clone(&value));
        }
        Ok(Some(value))
    }
}

impl<K: Hash + Eq, V: Cacheable> Entries<K, V> {
    fn clear(&mut self, version: Version) {
        self.entries.clear();
        self.version = version;
        self.bytes = 0;
    }

    fn insert(&mut self, key: K, value: Arc<V>) {
        self.remove(&key);
        let bytes = bytes_of(&*value);
        if self.bytes + bytes > MAX_BYTES {
            self.clear(self.version);
        }
        self.bytes += bytes;
        let read_at = self.version;
        self.entries.insert(key, Entry { value, read_at });
    }

    fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= bytes_of(&*entry.value);
        }
    }
}

pub(super) fn bytes_of(value: &impl Cacheable) -> usize {
    ENTRY_BYTES + value.bytes()
}

#[cfg(test)]
impl<K: Hash + Eq, V: Cacheable> Cache<K, V> {
    /// Returns whether the value of `key` is cached at that version.
    pub(super) fn has(&self, version: Version, key: &K) -> bool {
        let entries = self.lock();
        entries.version == version && entries.entries.contains_key(key)
    }

    /// Returns the approximate size in bytes.
    pub(super) fn size(&self) -> usize {
        self.lock().bytes
    }
}

#[cfg(test)]
mod tests {
    use bespoke_core::Timestamp;
    use bespoke_core::entity::set::{MeasurementSet, SetContent};
    use serde_json::value::RawValue;
    use uuid::Uuid;

    use super::*;
    use crate::cache::records::{CachedRecord, CachedSet, json_bytes};

    impl Cacheable for String {
        fn bytes(&self) -> usize {
            self.len()
        }

        fn is_still(&self, now: &Self) -> bool {
            self == now
        }
    }

    fn at(seq: u64) -> Version {
        Version { epoch: 1, seq }
    }

    fn never() -> Result<Option<String>> {
        panic!("the value is cached");
    }

    #[test]
    fn entries_are_cached_until_the_database_changes() {
        let cache = Cache::default();
        let text = |version, read: fn() -> Result<Option<String>>| {
            let found = cache.get_or_read(version, 1, read).unwrap();
            found.map(|text| text.to_string())
        };
        assert_eq!(text(at(1), || Ok(None)), None);
        assert_eq!(text(at(1), || Ok(Some("one".into()))).as_deref(), Some("one"));
        assert_eq!(text(at(1), never).as_deref(), Some("one"));
        assert_eq!(text(at(2), || Ok(Some("two".into()))).as_deref(), Some("two"));
        assert_eq!(text(at(1), || Ok(Some("one".into()))).as_deref(), Some("one"));
    }

    #[test]
    fn cache_size_is_bounded() {
        let cache = Cache::default();
        for key in 0..20 {
            let large = || Ok(Some("x".repeat(MAX_BYTES / 4)));
            cache.get_or_read(at(1), key, large).unwrap();
            assert!(cache.lock().bytes <= MAX_BYTES && cache.lock().entries.len() <= 3);
        }
    }

    fn set_with(id: i64, notes: String) -> CachedSet {
        CachedRecord::from(MeasurementSet {
            id,
            uuid: Uuid::nil(),
            user_id: 1,
            user_uuid: Uuid::nil(),
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
            content: SetContent {
                name: "x".repeat(100),
                notes,
                imperial: false,
                public: false,
                measies: RawValue::from_string("{}".to_owned()).unwrap(),
                img: None,
            },
        })
    }

    #[test]
    fn sets_count_with_their_escaped_response() {
        let cache = Cache::default();
        let notes = "\u{1}\n\"é".repeat(10_000);
        let shown_bytes = serde_json::to_string(&notes).unwrap().len();
        assert_eq!(json_bytes(&notes), shown_bytes - 2);
        let mut held_bytes = 0;
        for id in 0..1_000 {
            cache
                .get_or_read(at(1), id, || Ok(Some(set_with(id, notes.clone()))))
                .unwrap();
            let entries = cache.lock();
            held_bytes = entries.entries.len() * (notes.len() + shown_bytes);
            assert!(held_bytes <= entries.bytes && entries.bytes <= MAX_BYTES);
        }
        assert!(held_bytes > 0);
    }
}
