//! [`ReadCache`]: the caches of one process by kind of record, and their invalidation after changes.

use bespoke_core::entity::user::AccountStatus;
use bespoke_core::measurement::Design;
use bespoke_storage::{Change, Version};
use uuid::Uuid;

use super::records::{CachedSet, Credential};
use super::versioned::Cache;

/// The read cache of one process.
#[derive(Default)]
pub(crate) struct ReadCache {
    pub(crate) credentials: Cache<Uuid, Credential>,
    pub(crate) account_statuses: Cache<i64, AccountStatus>,
    pub(crate) sets: Cache<i64, CachedSet>,
    /// Integer ids of sets, so that a set is cached once, no matter by which id it is read.
    pub(crate) set_ids: Cache<Uuid, i64>,
    pub(crate) designs: Cache<String, Design>,
    /// Calls by account, key and day that are counted in the database.
    pub(crate) calls: Cache<(i64, Uuid, i64), i64>,
}

impl ReadCache {
    /// Removes the entries that a change makes outdated, and moves all others to the version after the change.
    pub(crate) fn follow(&self, change: &Change<'_>) {
        let has_changed = |table| change.rows.iter().any(|row| &*row.table == table);
        let accounts_changed = has_changed("users");
        self.credentials
            .follow(change, accounts_changed || has_changed("api_keys"), []);
        self.account_statuses.follow(change, accounts_changed, []);
        self.calls.follow(change, accounts_changed, []);
        // The table has no `rowid`, so changes do not name its rows.
        self.designs.follow(change, true, []);
        let sets = change.rows.iter().filter(|row| &*row.table == "sets");
        // A set contains the UUID of its account, which never changes. If the account is deleted, so are its sets.
        self.sets.follow(change, false, sets.map(|row| row.row));
        self.set_ids.follow(change, has_changed("sets"), []);
    }
}

/// The read cache at the version of a read.
#[derive(Clone, Copy)]
pub(crate) struct ReadCacheAt<'a> {
    pub(crate) read_cache: &'a ReadCache,
    pub(crate) version: Version,
}

#[cfg(test)]
mod tests {
    use bespoke_core::Timestamp;
    use bespoke_core::entity::set::{MeasurementSet, SetContent};
    use bespoke_storage::ChangedRow;
    use bytes::Bytes;
    use serde_json::value::RawValue;

    use super::*;
    use crate::cache::records::{CachedRecord, CachedResponse};
    use crate::cache::versioned::bytes_of;

    fn at(seq: u64) -> Version {
        Version { epoch: 1, seq }
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

    fn set(id: i64) -> CachedSet {
        CachedRecord::from(MeasurementSet {
            id,
            uuid: Uuid::nil(),
            user_id: 1,
            user_uuid: Uuid::nil(),
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
            content: SetContent {
                name: "x".repeat(100),
                notes: String::new(),
                imperial: false,
                public: false,
                measies: RawValue::from_string("{}".to_owned()).unwrap(),
                img: None,
            },
        })
    }

    /// Returns whether the sets 1 and 2, the set by its UUID, and the calls are still cached at that version.
    fn cached_at(read_cache: &ReadCache, seq: u64) -> (Vec<bool>, bool, bool) {
        let sets = [1, 2].map(|id| read_cache.sets.has(at(seq), &id));
        let by_uuid = read_cache.set_ids.has(at(seq), &Uuid::nil());
        (
            sets.to_vec(),
            by_uuid,
            read_cache.calls.has(at(seq), &(1, Uuid::nil(), 1)),
        )
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
        assert_eq!(read_cache.sets.size(), bytes_of(&set(1)));
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
            let make = || CachedResponse {
                text: Bytes::from_static(text.as_bytes()),
                tag: Bytes::new(),
            };
            set.response(make).text
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
}
