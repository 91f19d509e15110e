//! Sets, patterns and bookmarks of an import.

use bespoke_core::EntityId;
use bespoke_core::entity::bookmark::BookmarkContent;
use bespoke_core::entity::pattern::PatternContent;
use bespoke_core::entity::set::SetContent;
use bespoke_core::entity::user::AccountStatus;
use bespoke_database::{Db, bookmarks, patterns, sets};
use bespoke_web::content::import::{ImportedRecord, MAX_RECORDS};
use bespoke_web::content::{bookmark, pattern, set};
use bespoke_web::{Context, Error, JsonObject, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// How many records.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[schema(as = RecordCounts)]
pub(super) struct Counts {
    sets: u32,
    patterns: u32,
    bookmarks: u32,
}

/// The records of an import that can be stored.
#[derive(Default)]
pub(super) struct Records {
    sets: Vec<ImportedRecord<SetContent>>,
    patterns: Vec<ImportedRecord<PatternContent>>,
    bookmarks: Vec<ImportedRecord<BookmarkContent>>,
}

impl Records {
    /// Takes the records out of a request; adds what cannot be taken to `ignored`.
    pub(super) fn take(body: &mut JsonObject, context: &Context, ignored: &mut Vec<String>) -> Result<Self> {
        let config = context.config();
        let records = Self {
            sets: take(body, "sets", context, ignored, |fields| {
                set::check(&fields)?;
                Ok(set::create(fields, config))
            }),
            patterns: take(body, "patterns", context, ignored, |fields| {
                let design = pattern::check(&fields)?;
                Ok(pattern::create(design, fields, config))
            }),
            bookmarks: take(body, "bookmarks", context, ignored, |fields| {
                Ok((bookmark::create(&fields)?, Vec::new()))
            }),
        };
        if records.sets.len() + records.patterns.len() + records.bookmarks.len() > MAX_RECORDS {
            return Err(Error::bad_request("tooManyRecords"));
        }
        Ok(records)
    }

    /// Stores those that the account does not have; gives how many that are, and how many it has.
    pub(super) fn store(&self, db: &Db<'_>, owner: &AccountStatus, context: &Context) -> Result<(Counts, Counts)> {
        let (id, now) = (owner.id, context.now());
        let (mut added, mut present) = (Counts::default(), Counts::default());
        for set in &self.sets {
            let owner_of = |uuid| Ok(sets::owner_of(db, uuid)?);
            match set.uuid_for(owner, context, "sets", &owner_of)? {
                Some(uuid) => {
                    sets::insert(db, uuid, id, &set.content, now)?;
                    added.sets += 1;
                }
                None => present.sets += 1,
            }
        }
        for pattern in &self.patterns {
            let owner_of = |uuid| Ok(patterns::by_id(db, EntityId::Uuid(uuid))?.map(|pattern| pattern.user_id));
            match pattern.uuid_for(owner, context, "patterns", &owner_of)? {
                Some(uuid) => {
                    patterns::insert(db, uuid, id, &pattern.content, now)?;
                    added.patterns += 1;
                }
                None => present.patterns += 1,
            }
        }
        for bookmark in &self.bookmarks {
            let owner_of = |uuid| Ok(bookmarks::by_id(db, EntityId::Uuid(uuid))?.map(|bookmark| bookmark.user_id));
            match bookmark.uuid_for(owner, context, "bookmarks", &owner_of)? {
                Some(uuid) => {
                    bookmarks::insert(db, uuid, id, &bookmark.content)?;
                    added.bookmarks += 1;
                }
                None => present.bookmarks += 1,
            }
        }
        Ok((added, present))
    }
}

/// Takes one list out of a request. A record that `read` refuses is left out; what it does not take of a record is named.
fn take<T>(
    body: &mut JsonObject,
    list: &str,
    context: &Context,
    ignored: &mut Vec<String>,
    read: impl Fn(JsonObject) -> Result<(T, Vec<String>)>,
) -> Vec<ImportedRecord<T>> {
    let items = match body.remove(list) {
        Some(Value::Array(items)) => items,
        None => Vec::new(),
        Some(_) => {
            ignored.push(list.to_owned());
            Vec::new()
        }
    };
    let mut records = Vec::new();
    for (number, item) in items.into_iter().enumerate() {
        let Value::Object(fields) = item else {
            ignored.push(format!("{list}.{number}"));
            continue;
        };
        match ImportedRecord::parse(fields, context, &read) {
            Ok((record, dropped)) => {
                ignored.extend(dropped.iter().map(|field| format!("{list}.{number}.{field}")));
                records.push(record);
            }
            Err(_) => ignored.push(format!("{list}.{number}")),
        }
    }
    records
}
