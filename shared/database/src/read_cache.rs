//! Read cache: records that are read often, cached until the rows that they were read from change.
//!
//! A commit of this process names the rows that it changed. After any other change, the complete cache is invalidated.
//! Builds with assertions read each entry that survived a change once more, and compare.

use std::hash::Hash;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bespoke_core::entity::set::SetContent;
use bespoke_core::entity::user::AccountStatus;
use bespoke_core::measurement::Design;
use bespoke_storage::Change;
use bytes::Bytes;
use hashbrown::HashMap;
use uuid::Uuid;

use crate::api_keys::Credential;
use crate::sets::StoredSet;
use crate::{Db, Result, Version};

/// Maximum size of the cache of each kind, in bytes. Before it grows larger, all entries of that kind are removed.
const MAX_BYTES: usize = 24 * 1024 * 1024;
/// Maximum size of an entry without texts of any length, in bytes. An API key has up to 32 networks.
const ENTRY_BYTES: usize = 1024;
/// Maximum size of the response that shows a set, without the texts of the set, in bytes.
const SHOWN_SET_BYTES: usize = 1024;

/// A stored record, with room for the response that shows it. Both are valid as long as the record does not change.
#[derive(Debug)]
pub struct Stored<T> {
    record: T,
    shown: OnceLock<Shown>,
}

/// A response that depends only on its record.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The body.
    pub text: Bytes,
    /// Its ETag.
    pub tag: Bytes,
}

impl<T> From<T> for Stored<T> {
    fn from(record: T) -> Self {
        Self {
            record,
            shown: OnceLock::new(),
        }
    }
}

impl<T> Deref for Stored<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.record
    }
}

impl<T> Stored<T> {
    /// Returns the response that shows the record. It is made at the first call.
    pub fn shown(&self, make: impl FnOnce() -> Shown) -> Shown {
        self.shown.get_or_init(make).clone()
    }
}

/// The read cache of one process.
#[derive(Default)]
pub(crate) struct ReadCache {
    pub(crate) credentials: Cache<Uuid, Credential>,
    pub(crate) account_statuses: Cache<i64, AccountStatus>,
    pub(crate) sets: Cache<i64, StoredSet>,
    /// Integer ids of sets, so that a set is cached once, no matter by which id it is read.
    pub(crate) set_ids: Cache<Uuid, i64>,
    pub(crate) designs: Cache<String, Design>,
    /// Calls by account, key and day that are counted in the database.
    pub(crate) calls: Cache<(i64, Uuid, i64), i64>,
}

impl ReadCache {
    /// Moves entries that the change does not affect to the next version.
    pub(crate) fn follow(&self, change: &Change<'_>) {
        let is_touched = |table| change.rows.iter().any(|row| &*row.table == table);
        let accounts = is_touched("users");
        self.credentials.follow(change, accounts || is_touched("api_keys"), []);
        self.account_statuses.follow(change, accounts, []);
        self.calls.follow(change, accounts, []);
        // The table has no `rowid`, so changes do not name its rows.
        self.designs.follow(change, true, []);
        let sets = change.rows.iter().filter(|row| &*row.table == "sets");
        // A set contains the UUID of its account, which never changes. If the account is deleted, so are its sets.
        self.sets.follow(change, false, sets.map(|row| row.row));
        self.set_ids.follow(change, is_touched("sets"), []);
    }
}

/// The read cache at the version of a read.
#[derive(Clone, Copy)]
pub(crate) struct ReadCacheAt<'a> {
    pub(crate) read_cache: &'a ReadCache,
    pub(crate) version: Version,
}

impl Db<'_> {
    /// Returns the cached value of `key`, or reads and caches it.
    pub(crate) fn cached<K: Hash + Eq, V: Cacheable>(
        &self,
        select: impl FnOnce(&ReadCache) -> &Cache<K, V>,
        key: K,
        read: impl FnOnce() -> Result<Option<V>>,
    ) -> Result<Option<Arc<V>>> {
        match self.read_cache {
            Some(ReadCacheAt { read_cache, version }) => select(read_cache).get_or_read(version, key, read),
            None => Ok(read()?.map(Arc::new)),
        }
    }
}

/// Cached values of one kind, all of one version.
pub(crate) struct Cache<K, V>(Mutex<Entries<K, V>>);

struct Entries<K, V> {
    of: Version,
    bytes: usize,
    entries: HashMap<K, Entry<V>>,
}

struct Entry<V> {
    value: Arc<V>,
    /// The version at which it was read.
    at: Version,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Entries {
            of: Version::default(),
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

impl Cacheable for Credential {
    fn is_still(&self, now: &Self) -> bool {
        format!("{self:?}") == format!("{now:?}")
    }
}

impl Cacheable for AccountStatus {
    fn is_still(&self, now: &Self) -> bool {
        self == now
    }
}

impl Cacheable for Design {
    fn bytes(&self) -> usize {
        let names = self.needs.required.iter().chain(&self.needs.optional);
        names.map(|name| size_of::<String>() + name.capacity()).sum()
    }

    fn is_still(&self, now: &Self) -> bool {
        self == now
    }
}

impl Cacheable for i64 {
    fn is_still(&self, now: &Self) -> bool {
        self == now
    }
}

impl Cacheable for StoredSet {
    /// The response is counted from the beginning, although it is made later.
    fn bytes(&self) -> usize {
        let SetContent {
            name,
            notes,
            measies,
            img,
            ..
        } = &self.content;
        let measies = measies.get().len();
        let img = img.as_ref().map_or(0, String::len);
        let record = name.capacity() + notes.capacity() + measies + img;
        // The response names the image three times.
        let response = json_bytes(name) + json_bytes(notes) + measies + 3 * img;
        record + response + SHOWN_SET_BYTES
    }

    fn is_still(&self, now: &Self) -> bool {
        format!("{:?}", self.record) == format!("{:?}", now.record)
    }
}

impl<K: Hash + Eq, V: Cacheable> Cache<K, V> {
    /// Moves entries to the next version, except for outdated ones: all of them or those of `keys`.
    fn follow(&self, change: &Change<'_>, all: bool, keys: impl IntoIterator<Item = K>) {
        let mut entries = self.lock();
        if entries.of != change.from {
            return;
        }
        if all {
            entries.clear(change.to);
        }
        entries.of = change.to;
        for key in keys {
            entries.remove(&key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the value of `key` at that version from the cache, or reads and caches it. Missing records are not
    /// cached, so that requests for ids that do not exist cannot fill the cache.
    pub(crate) fn get_or_read(
        &self,
        version: Version,
        key: K,
        read: impl FnOnce() -> Result<Option<V>>,
    ) -> Result<Option<Arc<V>>> {
        {
            let mut entries = self.lock();
            if entries.of != version {
                entries.clear(version);
            }
            if let Some(entry) = entries.entries.get(&key) {
                let (value, at) = (Arc::clone(&entry.value), entry.at);
                drop(entries);
                if cfg!(debug_assertions) && at != version {
                    let now = read()?;
                    assert!(
                        now.is_some_and(|now| value.is_still(&now)),
                        "stale cache entries from {at} to {version}"
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
        if entries.of == version {
            entries.insert(key, Arc::clone(&value));
        }
        Ok(Some(value))
    }
}

impl<K: Hash + Eq, V: Cacheable> Entries<K, V> {
    fn clear(&mut self, of: Version) {
        self.entries.clear();
        (self.of, self.bytes) = (of, 0);
    }

    fn insert(&mut self, key: K, value: Arc<V>) {
        self.remove(&key);
        let bytes = bytes_of(&*value);
        if self.bytes + bytes > MAX_BYTES {
            self.clear(self.of);
        }
        self.bytes += bytes;
        self.entries.insert(key, Entry { value, at: self.of });
    }

    fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= bytes_of(&*entry.value);
        }
    }
}

fn bytes_of(value: &impl Cacheable) -> usize {
    ENTRY_BYTES + value.bytes()
}

/// Returns the length of a text in JSON. A control character takes up to six bytes there.
fn json_bytes(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(escaped).sum()
}

#[cfg(test)]
mod tests {
    use bespoke_core::Timestamp;
    use bespoke_core::entity::set::MeasurementSet;
    use bespoke_storage::ChangedRow;
    use serde_json::value::RawValue;

    use super::*;

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

    fn rows(rows: &[(&str, i64)]) -> Vec<ChangedRow> {
        let row = |(table, row): &(&str, i64)| ChangedRow {
            table: (*table).into(),
            row: *row,
        };
        rows.iter().map(row).collect()
    }

    fn follow(read_cache: &ReadCache, from: u64, changed: &[(&str, i64)]) {
        read_cache.follow(&Change {
            from: at(from),
            to: at(from + 1),
            rows: &rows(changed),
        });
    }

    fn set(id: i64) -> StoredSet {
        set_with(id, String::new())
    }

    fn set_with(id: i64, notes: String) -> StoredSet {
        Stored::from(MeasurementSet {
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

    /// Returns whether the sets 1 and 2, the set by its UUID, and the calls are still cached at that version.
    fn cached_at(read_cache: &ReadCache, seq: u64) -> (Vec<bool>, bool, bool) {
        let sets = [1, 2].map(|id| read_cache.sets.lock().has(at(seq), &id));
        let by_uuid = read_cache.set_ids.lock().has(at(seq), &Uuid::nil());
        (
            sets.to_vec(),
            by_uuid,
            read_cache.calls.lock().has(at(seq), &(1, Uuid::nil(), 1)),
        )
    }

    impl<K: Hash + Eq, V: Cacheable> Entries<K, V> {
        fn has(&self, version: Version, key: &K) -> bool {
            self.of == version && self.entries.contains_key(key)
        }
    }

    fn filled(seq: u64) -> ReadCache {
        let read_cache = ReadCache::default();
        for id in [1, 2] {
            read_cache.sets.get_or_read(at(seq), id, || Ok(Some(set(id)))).unwrap();
        }
        read_cache
            .set_ids
            .get_or_read(at(seq), Uuid::nil(), || Ok(Some(1)))
            .unwrap();
        read_cache
            .calls
            .get_or_read(at(seq), (1, Uuid::nil(), 1), || Ok(Some(7)))
            .unwrap();
        read_cache
    }

    #[test]
    fn unchanged_entries_stay_cached() {
        let read_cache = filled(1);
        follow(&read_cache, 1, &[("mails", 1), ("_commits", 2)]);
        assert_eq!(cached_at(&read_cache, 2), (vec![true, true], true, true));
        follow(&read_cache, 2, &[("sets", 2)]);
        assert_eq!(cached_at(&read_cache, 3), (vec![true, false], false, true));
        assert_eq!(read_cache.sets.lock().bytes, bytes_of(&set(1)));
        follow(&read_cache, 3, &[("users", 9)]);
        assert_eq!(cached_at(&read_cache, 4), (vec![true, false], false, false));
    }

    #[test]
    fn response_is_cached_as_long_as_its_record() {
        let read_cache = filled(1);
        let shown = |seq, text: &'static str| {
            let set = read_cache
                .sets
                .get_or_read(at(seq), 1, || Ok(Some(set(1))))
                .unwrap()
                .unwrap();
            let make = || Shown {
                text: Bytes::from_static(text.as_bytes()),
                tag: Bytes::new(),
            };
            set.shown(make).text
        };
        assert_eq!(shown(1, "first"), "first");
        follow(&read_cache, 1, &[("sets", 2)]);
        assert_eq!(shown(2, "second"), "first");
        follow(&read_cache, 2, &[("sets", 1)]);
        assert_eq!(shown(3, "third"), "third");
    }

    #[test]
    fn unknown_change_clears_the_cache() {
        let read_cache = filled(1);
        follow(&read_cache, 2, &[]);
        assert_eq!(cached_at(&read_cache, 3), (vec![false, false], false, false));
        let read = read_cache.sets.get_or_read(at(3), 1, || Ok(None)).unwrap();
        assert!(read.is_none());
    }

    #[test]
    #[should_panic(expected = "stale cache entries from 1-1 to 1-2")]
    fn unnamed_change_is_detected() {
        let read_cache = filled(1);
        follow(&read_cache, 1, &[]);
        let _ = read_cache.sets.get_or_read(at(2), 1, || Ok(None));
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
