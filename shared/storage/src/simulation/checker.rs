//! [`Checker`]: checks the invariants of the bucket at every PUT of `head` and at every deletion.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::Bytes;

use super::model::Model;
use crate::format::chunk_table::ChunkTable;
use crate::format::delta::Delta;
use crate::format::head::{Head, HeadJson};
use crate::format::keys::HEAD_KEY;
use crate::format::{checksum, chunk_table};
use crate::store::PutCondition;
use crate::version::Version;

/// Returns an object of the store.
pub(super) type Objects<'a> = &'a dyn Fn(&str) -> Option<Bytes>;
/// Checks the content of the state with this sequence number.
pub(super) type CheckState<'a> = &'a dyn Fn(u64, &[u8]) -> Result<(), String>;

/// The times of a state.
#[derive(Debug, Clone, Copy)]
pub(super) struct StateTimes {
    /// Time of its PUT by the store's clock. Milliseconds since 1970.
    pub(super) put_ms: u64,
    /// Commit time according to `head`. Milliseconds since 1970.
    pub(super) at_ms: u64,
}

/// Follows the database from the objects in the store alone, without an engine.
pub(super) struct Checker {
    /// The first violation of an invariant.
    pub(super) violation: Option<String>,
    /// The digest of the complete database for every version so far.
    pub(super) states: BTreeMap<Version, u64>,
    /// The times of every version so far.
    pub(super) times: BTreeMap<Version, StateTimes>,
    /// Number of changes of the base.
    pub(super) bases: u64,
    /// Number of heads with other segments than their predecessors.
    pub(super) segments: u64,
    /// Number of merges of segments.
    pub(super) merges: u64,
    /// Number of restores.
    pub(super) restores: u64,
    /// Number of deleted objects.
    pub(super) deleted: u64,
    /// Ids of the writes that a restore has undone, and that no later restore has brought back.
    pub(super) undone: HashSet<u32>,
    /// Ids of the writes that a restore has undone at any time. A read need not see such a write, even if a later restore
    /// brought it back, because the read may have begun in between.
    pub(super) ever_undone: HashSet<u32>,
    /// Raw length of a chunk, in bytes.
    pub(super) chunk_bytes: usize,
    /// Whether the pages are those of [`Model`] and not of SQLite.
    is_model: bool,
    /// The current `head`.
    head: Option<HeadJson>,
    /// The content of the current database.
    database: Vec<u8>,
    /// The keys of all objects that the current `head` names.
    named_keys: BTreeSet<String>,
}

impl Checker {
    pub(super) fn new(chunk_bytes: usize, is_model: bool) -> Self {
        Self {
            violation: None,
            states: BTreeMap::new(),
            times: BTreeMap::new(),
            bases: 0,
            segments: 0,
            merges: 0,
            restores: 0,
            deleted: 0,
            undone: HashSet::new(),
            ever_undone: HashSet::new(),
            chunk_bytes,
            is_model,
            head: None,
            database: Vec::new(),
            named_keys: BTreeSet::new(),
        }
    }

    /// Records a violation, unless there is one already.
    pub(super) fn report(&mut self, violation: impl Into<String>) {
        self.violation.get_or_insert(violation.into());
    }

    pub(super) fn before_put(&mut self, key: &str, condition: &PutCondition) {
        if *condition == PutCondition::None {
            self.report(format!("{key} is put without a condition"));
        }
    }

    pub(super) fn before_delete(&mut self, key: &str) {
        self.deleted += 1;
        if key == HEAD_KEY || self.named_keys.contains(key) {
            self.report(format!("{key} is deleted, though `head` names it"));
        }
    }

    /// Checks a PUT of `head` that took effect.
    pub(super) fn on_head(&mut self, body: &Bytes, now_ms: u64, objects: Objects<'_>) {
        if self.violation.is_some() {
            return;
        }
        if let Ok(head) = Head::decode(body) {
            let times = StateTimes {
                put_ms: now_ms,
                at_ms: head.json.last_stamp().at_ms,
            };
            self.times.entry(head.json.version()).or_insert(times);
        }
        if let Err(problem) = self.follow(body, objects) {
            self.report(problem);
        }
    }

    fn follow(&mut self, body: &Bytes, objects: Objects<'_>) -> Result<(), String> {
        let head = Head::decode(body).map_err(|error| error.to_string())?;
        let before = self.head.replace(head.json.clone());
        self.check_step(before.as_ref(), &head.json)?;
        let same_objects = |before: &HeadJson| before.base == head.json.base && before.segments == head.json.segments;
        if !before.as_ref().is_some_and(same_objects) {
            self.bases += u64::from(before.as_ref().is_some_and(|before| before.base != head.json.base));
            self.segments += u64::from(!head.json.segments.is_empty());
            let is_merged = |before: &HeadJson| {
                before.epoch == head.json.epoch
                    && before.base == head.json.base
                    && before.segments.len() > head.json.segments.len()
            };
            self.merges += u64::from(before.as_ref().is_some_and(is_merged));
            self.named_keys = names(&head.json, self.chunk_bytes, objects)?;
        }
        if before.as_ref().map(HeadJson::version) == Some(head.json.version())
            && before.as_ref().is_some_and(same_objects)
        {
            return Ok(());
        }
        let database = match before.as_ref() {
            Some(before) if same_objects(before) && before.epoch == head.json.epoch => {
                let mut database = std::mem::take(&mut self.database);
                for delta in head.tail_after(before.seq).map_err(|error| error.to_string())? {
                    apply(&mut database, &delta);
                }
                database
            }
            _ => build_database(&head, self.chunk_bytes, objects, &|seq, database| {
                // `check_content` checks the new state.
                let is_new = seq == head.json.seq;
                if is_new {
                    Ok(())
                } else {
                    self.check_state(seq, database)
                }
            })?,
        };
        self.check_content(before.as_ref(), &head.json, &database)?;
        self.database = database;
        Ok(())
    }

    /// Checks that a state to which `head` can be cut back existed before.
    fn check_state(&self, seq: u64, database: &[u8]) -> Result<(), String> {
        let digest = checksum::object_digest(database);
        let mut earlier = self.states.iter().filter(|(version, _)| version.seq == seq);
        match earlier.any(|(_, state)| *state == digest) {
            true => Ok(()),
            false => Err(format!("the state {seq} has changed")),
        }
    }

    /// Checks that a new `head` has at most one commit more than the previous one, or is the first one of an epoch.
    fn check_step(&mut self, before: Option<&HeadJson>, after: &HeadJson) -> Result<(), String> {
        let Some(before) = before else { return Ok(()) };
        if before.nonce == after.nonce {
            return Err("two heads have one nonce".to_owned());
        }
        if after.floor_ms < before.floor_ms {
            return Err("the floor sinks".to_owned());
        }
        if after.epoch == before.epoch + 1 {
            self.restores += 1;
            return Ok(());
        }
        let is_next = after.epoch == before.epoch && (before.seq..=before.seq + 1).contains(&after.seq);
        if is_next && before.database == after.database {
            Ok(())
        } else {
            Err(format!("{} follows {}", after.version(), before.version()))
        }
    }

    /// Checks that `database` fits its checksum, that a version is never two states, that a commit only adds writes to
    /// the ledger, and that a restore brings back an earlier state.
    fn check_content(&mut self, before: Option<&HeadJson>, after: &HeadJson, database: &[u8]) -> Result<(), String> {
        let version = after.version();
        let page = after.page_size as usize;
        let sum = database.chunks(page).zip(1..).fold(0, |sum, (page, number)| {
            sum ^ checksum::page_hash(after.page_size, number, page)
        });
        if sum != after.checksum || database.len() != after.page_count as usize * page {
            return Err(format!("the objects of {version} do not fit its checksum"));
        }
        let digest = checksum::object_digest(database);
        if *self.states.entry(version).or_insert(digest) != digest {
            return Err(format!("{version} is two different states"));
        }
        let Some(before) = before.filter(|_| self.is_model) else {
            return Ok(());
        };
        let old_ledger = Model::decode(&self.database).ledger;
        let new_ledger = Model::decode(database).ledger;
        if before.epoch != after.epoch {
            let mut earlier = self.states.iter().filter(|(state, _)| state.seq == version.seq);
            if !earlier.any(|(state, state_digest)| *state_digest == digest && state.epoch < version.epoch) {
                return Err(format!("{version} is not a state from before {}", before.version()));
            }
            self.undone
                .extend(old_ledger.iter().filter(|id| !new_ledger.contains(id)));
            self.ever_undone.extend(&self.undone);
            self.undone.retain(|id| !new_ledger.contains(id));
            return Ok(());
        }
        if !self.database.is_empty() && !new_ledger.starts_with(&old_ledger) {
            return Err(format!("{version} lacks earlier writes"));
        }
        for id in new_ledger.iter().skip(old_ledger.len()) {
            self.undone.remove(id);
        }
        Ok(())
    }
}

/// Returns the keys of all objects that `head` names. All objects must exist.
fn names(head: &HeadJson, chunk_bytes: usize, objects: Objects<'_>) -> Result<BTreeSet<String>, String> {
    let mut names: BTreeSet<_> = head.segments.iter().map(|segment| segment.key.clone()).collect();
    if let Some(key) = &head.base.table {
        let table = objects(key).ok_or_else(|| format!("{key} is named and missing"))?;
        names.extend(
            ChunkTable::decode(&table, chunk_bytes)?
                .rows
                .iter()
                .map(chunk_table::ChunkRow::key),
        );
        names.insert(key.clone());
    }
    match names.iter().find(|key| objects(key).is_none()) {
        Some(key) => Err(format!("{key} is named by {} and missing", head.version())),
        None => Ok(names),
    }
}

/// Builds the database of `head`, and calls `check` with every state in between.
pub(super) fn build_database(
    head: &Head,
    chunk_bytes: usize,
    objects: Objects<'_>,
    check: CheckState<'_>,
) -> Result<Vec<u8>, String> {
    let fetch = |key: &str| objects(key).ok_or_else(|| format!("{key} is named and missing"));
    let mut database = Vec::new();
    if let Some(key) = &head.json.base.table {
        let table = ChunkTable::decode(&fetch(key)?, chunk_bytes)?;
        for (index, row) in table.rows.iter().enumerate() {
            chunk_table::decompress_chunk(
                &fetch(&row.key())?,
                Some(row.digest),
                table.raw_bytes_of(index),
                |_, raw| {
                    database.extend_from_slice(raw);
                    Ok::<(), String>(())
                },
            )??;
        }
        check(head.json.base.seq, &database)?;
    }
    for segment in &head.json.segments {
        let body = fetch(&segment.key)?;
        if checksum::object_digest(&body) != segment.digest {
            return Err(format!("{} does not match its digest in `head`", segment.key));
        }
        apply(&mut database, &Delta::decode(&body)?);
        check(segment.to, &database)?;
    }
    let tail = head.tail_after(head.json.base.seq).map_err(|error| error.to_string())?;
    for (entry, delta) in head.json.tail.iter().zip(tail) {
        apply(&mut database, &delta);
        check(entry.to, &database)?;
    }
    Ok(database)
}

/// Applies a delta to the content of a database.
pub(super) fn apply(database: &mut Vec<u8>, delta: &Delta) {
    let page = delta.page_size as usize;
    database.resize(delta.page_count as usize * page, 0);
    for (number, bytes) in &delta.pages {
        let from = (*number as usize - 1) * page;
        database[from..from + page].copy_from_slice(bytes);
    }
}
