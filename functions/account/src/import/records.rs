//! [`Records`]: parses the sets, patterns and bookmarks of an import, and stores them.

use bespoke_core::entity::bookmark::BookmarkContent;
use bespoke_core::entity::pattern::PatternContent;
use bespoke_core::entity::set::SetContent;
use bespoke_core::entity::user::AccountStatus;
use bespoke_database::{Db, bookmarks, patterns, sets};
use bespoke_web::content::import::{ImportedRecord, MAX_RECORDS};
use bespoke_web::content::{bookmark, pattern, set};
use bespoke_web::{Context, Error, Growth, JsonObject, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Numbers of records by type.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[schema(as = RecordCounts)]
pub(super) struct Counts {
    sets: u32,
    patterns: u32,
    bookmarks: u32,
}

/// The valid records of an import.
#[derive(Default)]
pub(super) struct Records {
    sets: Vec<ImportedRecord<SetContent>>,
    patterns: Vec<ImportedRecord<PatternContent>>,
    bookmarks: Vec<ImportedRecord<BookmarkContent>>,
}

impl Records {
    /// Takes the records out of a request. Adds the paths of invalid records and fields to `ignored`.
    pub(super) fn take(body: &mut JsonObject, context: &Context, ignored: &mut Vec<String>) -> Result<Self> {
        let config = context.config();
        let records = Self {
            sets: take(body, "sets", context, ignored, |fields| {
                set::check(&fields)?;
                set::create(fields, config)
            }),
            patterns: take(body, "patterns", context, ignored, |mut fields| {
                let checked = pattern::check(&mut fields)?;
                Ok(pattern::create(checked, fields, config))
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

    /// Stores the records that the account does not have. Returns the numbers of stored records and of records that were already present.
    /// Stores nothing if the account's limits do not allow all of them, because a refusal after thousands of inserts would delay
    /// the writes of other accounts.
    pub(super) fn store(&self, db: &Db<'_>, owner: &AccountStatus, context: &Context) -> Result<(Counts, Counts)> {
        let (id, now) = (owner.id, context.now());
        let of_set = |uuid| Ok(sets::owner_of(db, uuid)?);
        let of_pattern = |uuid| Ok(patterns::owner_of(db, uuid)?);
        let of_bookmark = |uuid| Ok(bookmarks::owner_of(db, uuid)?);
        let sets = ImportedRecord::missing(&self.sets, owner, context, "sets", &of_set)?;
        let patterns = ImportedRecord::missing(&self.patterns, owner, context, "patterns", &of_pattern)?;
        let bookmarks = ImportedRecord::missing(&self.bookmarks, owner, context, "bookmarks", &of_bookmark)?;
        let added = Counts::of(sets.len(), patterns.len(), bookmarks.len());
        let set_texts = sets.iter().map(|(_, set)| set.name.len() + set.notes.len());
        let pattern_texts = patterns
            .iter()
            .map(|(_, pattern)| pattern.name.len() + pattern.notes.len() + pattern.data.len() + pattern.settings.len());
        let growth = Growth {
            sets: sets.len() as u64,
            patterns: patterns.len() as u64,
            bookmarks: bookmarks.len() as u64,
            text_bytes: set_texts.chain(pattern_texts).sum::<usize>() as u64,
        };
        context.config().account_limits.check_growth(db, id, growth, now)?;
        for (uuid, content) in sets {
            sets::insert(db, uuid, id, content, now)?;
        }
        for (uuid, content) in patterns {
            patterns::insert(db, uuid, id, content, now)?;
        }
        for (uuid, content) in bookmarks {
            bookmarks::insert(db, uuid, id, content)?;
        }
        let all = Counts::of(self.sets.len(), self.patterns.len(), self.bookmarks.len());
        Ok((added, all.without(added)))
    }
}

impl Counts {
    /// Converts the lengths of lists. The size of a request bounds them.
    fn of(sets: usize, patterns: usize, bookmarks: usize) -> Self {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            sets: count(sets),
            patterns: count(patterns),
            bookmarks: count(bookmarks),
        }
    }

    fn without(self, other: Self) -> Self {
        Self {
            sets: self.sets - other.sets,
            patterns: self.patterns - other.patterns,
            bookmarks: self.bookmarks - other.bookmarks,
        }
    }
}

/// Takes one list out of a request. Skips the records that `read` rejects. Adds the paths of skipped records and ignored fields
/// to `ignored`.
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
