//! What must hold at every PUT of `head` and every deletion, whatever the schedule.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bytes::Bytes;

use super::model::Model;
use super::restorable::Times;
use crate::checksum;
use crate::chunks::{self, ChunkTable};
use crate::delta::Delta;
use crate::head::{FullHead, HEAD_KEY, Head};
use crate::plan;
use crate::store::PutCondition;
use crate::version::Version;

/// Fetches an object of the store.
pub(super) type Objects<'a> = &'a dyn Fn(&str) -> Option<Bytes>;
/// Looks at the state of that number.
pub(super) type CheckState<'a> = &'a dyn Fn(u64, &[u8]) -> Result<(), String>;

/// Follows the database from outside.
pub(super) struct Checker {
    /// What went wrong first.
    pub(super) violation: Option<String>,
    /// The digest of the whole database, for every version that there was.
    pub(super) states: BTreeMap<Version, u64>,
    /// When each of them became the newest.
    pub(super) times: BTreeMap<Version, Times>,
    /// How many bases, segments, merges and epochs the schedule went through.
    pub(super) bases: u64,
    pub(super) segments: u64,
    pub(super) merges: u64,
    pub(super) restores: u64,
    /// Objects that were deleted.
    pub(super) deleted: u64,
    /// What a restore took back.
    pub(super) undone: HashSet<u32>,
    /// The same, even where a later restore took back the restore: a read may have begun in between.
    pub(super) once_undone: HashSet<u32>,
    pub(super) chunk_bytes: usize,
    /// Whether the pages are those of [`Model`], not of SQLite.
    model: bool,
    head: Option<Head>,
    database: Vec<u8>,
    named: BTreeSet<String>,
}

impl Checker {
    pub(super) fn new(chunk_bytes: usize, model: bool) -> Self {
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
            once_undone: HashSet::new(),
            chunk_bytes,
            model,
            head: None,
            database: Vec::new(),
            named: BTreeSet::new(),
        }
    }

    /// Takes note of the first thing that is wrong.
    pub(super) fn complain(&mut self, what: impl Into<String>) {
        self.violation.get_or_insert(what.into());
    }

    pub(super) fn before_put(&mut self, key: &str, condition: &PutCondition) {
        if *condition == PutCondition::None {
            self.complain(format!("{key} is put without a condition"));
        }
    }

    pub(super) fn before_delete(&mut self, key: &str) {
        self.deleted += 1;
        if key == HEAD_KEY || self.named.contains(key) {
            self.complain(format!("{key} is deleted, though `head` names it"));
        }
    }

    /// A PUT of `head` took effect.
    pub(super) fn on_head(&mut self, body: &Bytes, now_ms: u64, objects: Objects<'_>) {
        if self.violation.is_some() {
            return;
        }
        if let Ok(head) = FullHead::decode(body) {
            let times = Times {
                put_ms: now_ms,
                at_ms: plan::stamp_of(&head.json).at_ms,
            };
            self.times.entry(head.json.version()).or_insert(times);
        }
        if let Err(problem) = self.follow(body, objects) {
            self.complain(problem);
        }
    }

    fn follow(&mut self, body: &Bytes, objects: Objects<'_>) -> Result<(), String> {
        let head = FullHead::decode(body).map_err(|error| error.to_string())?;
        let before = self.head.replace(head.json.clone());
        self.check_step(before.as_ref(), &head.json)?;
        let same_objects = |before: &Head| before.base == head.json.base && before.segments == head.json.segments;
        if !before.as_ref().is_some_and(same_objects) {
            self.bases += u64::from(before.as_ref().is_some_and(|before| before.base != head.json.base));
            self.segments += u64::from(!head.json.segments.is_empty());
            let is_merged = |before: &Head| {
                before.epoch == head.json.epoch
                    && before.base == head.json.base
                    && before.segments.len() > head.json.segments.len()
            };
            self.merges += u64::from(before.as_ref().is_some_and(is_merged));
            self.named = names(&head.json, self.chunk_bytes, objects)?;
        }
        if before.as_ref().map(Head::version) == Some(head.json.version()) && before.as_ref().is_some_and(same_objects)
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
            _ => whole(&head, self.chunk_bytes, objects, &|seq, database| {
                // What is new is looked at below.
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

    /// What `head` can be cut back to is a state that there was.
    fn check_state(&self, seq: u64, database: &[u8]) -> Result<(), String> {
        let digest = checksum::of_object(database);
        let mut known = self.states.iter().filter(|(version, _)| version.seq == seq);
        match known.any(|(_, state)| *state == digest) {
            true => Ok(()),
            false => Err(format!("the state {seq} is not what it was")),
        }
    }

    /// The log only grows, one commit at a time; a restore begins another.
    fn check_step(&mut self, before: Option<&Head>, after: &Head) -> Result<(), String> {
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
        let grows = after.epoch == before.epoch && (before.seq..=before.seq + 1).contains(&after.seq);
        if grows && before.database == after.database {
            Ok(())
        } else {
            Err(format!("{} follows on {}", after.version(), before.version()))
        }
    }

    fn check_content(&mut self, before: Option<&Head>, after: &Head, database: &[u8]) -> Result<(), String> {
        let version = after.version();
        let page = after.page_size as usize;
        let sum = database.chunks(page).zip(1..).fold(0, |sum, (page, number)| {
            sum ^ checksum::of_page(after.page_size, number, page)
        });
        if sum != after.checksum || database.len() != after.page_count as usize * page {
            return Err(format!("the objects of {version} do not fit its checksum"));
        }
        let digest = checksum::of_object(database);
        if *self.states.entry(version).or_insert(digest) != digest {
            return Err(format!("{version} is two different states"));
        }
        if let Some(before) = before.filter(|before| self.model && before.epoch != after.epoch) {
            let (old, new) = (Model::decode(&self.database).ledger, Model::decode(database).ledger);
            let mut earlier = self.states.iter().filter(|(state, _)| state.seq == version.seq);
            if !earlier.any(|(state, seen)| *seen == digest && state.epoch < version.epoch) {
                return Err(format!("{version} is no state from before {}", before.version()));
            }
            self.undone.extend(old.iter().filter(|id| !new.contains(id)));
            self.once_undone.extend(&self.undone);
            self.undone.retain(|id| !new.contains(id));
        }
        let grown_from = before.filter(|before| self.model && before.epoch == after.epoch);
        if grown_from.is_some() {
            let (old, new) = (Model::decode(&self.database).ledger, Model::decode(database).ledger);
            if !self.database.is_empty() && !new.starts_with(&old) {
                return Err(format!("{version} lacks what was there before"));
            }
            for id in new.iter().skip(old.len()) {
                self.undone.remove(id);
            }
        }
        Ok(())
    }
}

/// Everything that `head` names; all of it is there.
fn names(head: &Head, chunk_bytes: usize, objects: Objects<'_>) -> Result<BTreeSet<String>, String> {
    let mut names: BTreeSet<_> = head.segments.iter().map(|segment| segment.key.clone()).collect();
    if let Some(key) = &head.base.table {
        let table = objects(key).ok_or_else(|| format!("{key} is named and missing"))?;
        names.extend(
            ChunkTable::decode(&table, chunk_bytes)?
                .rows
                .iter()
                .map(chunks::ChunkRow::key),
        );
        names.insert(key.clone());
    }
    match names.iter().find(|key| objects(key).is_none()) {
        Some(key) => Err(format!("{key} is named by {} and missing", head.version())),
        None => Ok(names),
    }
}

/// The database that `head` stands for; `check` is shown every state on the way there.
pub(super) fn whole(
    head: &FullHead,
    chunk_bytes: usize,
    objects: Objects<'_>,
    check: CheckState<'_>,
) -> Result<Vec<u8>, String> {
    let fetch = |key: &str| objects(key).ok_or_else(|| format!("{key} is named and missing"));
    let mut database = Vec::new();
    if let Some(key) = &head.json.base.table {
        let table = ChunkTable::decode(&fetch(key)?, chunk_bytes)?;
        for (index, row) in table.rows.iter().enumerate() {
            chunks::with_pieces(
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
        if checksum::of_object(&body) != segment.digest {
            return Err(format!("{} is not what `head` says", segment.key));
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

pub(super) fn apply(database: &mut Vec<u8>, delta: &Delta) {
    let page = delta.page_size as usize;
    database.resize(delta.page_count as usize * page, 0);
    for (number, bytes) in &delta.pages {
        let from = (*number as usize - 1) * page;
        database[from..from + page].copy_from_slice(bytes);
    }
}
