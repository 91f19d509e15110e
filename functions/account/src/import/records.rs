//! Sets, patterns and bookmarks of an import.

use bespoke_core::EntityId;
use bespoke_core::entity::bookmark::BookmarkContent;
use bespoke_core::entity::pattern::PatternContent;
use bespoke_core::entity::set::SetContent;
use bespoke_core::entity::user::Standing;
use bespoke_database::{Db, bookmarks, patterns, sets};
use bespoke_web::content::{bookmark, pattern, set};
use bespoke_web::{Context, Error, JsonObject, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Most records of one import.
const MAX_RECORDS: usize = 5_000;
/// What an export says of a record and nobody can set.
const FIXED: [&str; 9] = [
    "id",
    "uuid",
    "userId",
    "userUuid",
    "createdAt",
    "updatedAt",
    "img",
    "image",
    "imageUrl",
];

/// How many records.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[schema(as = RecordCounts)]
pub(super) struct Counts {
    sets: u32,
    patterns: u32,
    bookmarks: u32,
}

/// A record of an import.
struct Record<T> {
    /// UUID of a new one.
    fresh: Uuid,
    /// Its UUID where it comes from.
    origin: Option<Uuid>,
    content: T,
}

/// The records of an import that can be stored.
#[derive(Default)]
pub(super) struct Records {
    sets: Vec<Record<SetContent>>,
    patterns: Vec<Record<PatternContent>>,
    bookmarks: Vec<Record<BookmarkContent>>,
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
    pub(super) fn store(&self, db: &Db<'_>, owner: &Standing, context: &Context) -> Result<(Counts, Counts)> {
        let (id, now) = (owner.id, context.now());
        let place = |kind, origin, fresh, owner_of: &dyn Fn(Uuid) -> Result<Option<i64>>| {
            place(owner, context, kind, origin, fresh, owner_of)
        };
        let (mut added, mut present) = (Counts::default(), Counts::default());
        for set in &self.sets {
            let owner_of = |uuid| Ok(sets::by_id(db, EntityId::Uuid(uuid))?.map(|set| set.user_id));
            match place("sets", set.origin, set.fresh, &owner_of)? {
                Some(uuid) => {
                    sets::insert(db, uuid, id, &set.content, now)?;
                    added.sets += 1;
                }
                None => present.sets += 1,
            }
        }
        for pattern in &self.patterns {
            let owner_of = |uuid| Ok(patterns::by_id(db, EntityId::Uuid(uuid))?.map(|pattern| pattern.user_id));
            match place("patterns", pattern.origin, pattern.fresh, &owner_of)? {
                Some(uuid) => {
                    patterns::insert(db, uuid, id, &pattern.content, now)?;
                    added.patterns += 1;
                }
                None => present.patterns += 1,
            }
        }
        for bookmark in &self.bookmarks {
            let owner_of = |uuid| Ok(bookmarks::by_id(db, EntityId::Uuid(uuid))?.map(|bookmark| bookmark.user_id));
            match place("bookmarks", bookmark.origin, bookmark.fresh, &owner_of)? {
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

/// The UUID for a record, and `None` when the account has it. What comes from elsewhere gets one that follows from account and
/// origin, by which it is known again when it is sent again; it is not its own, which somebody else may have.
fn place(
    owner: &Standing,
    context: &Context,
    kind: &str,
    origin: Option<Uuid>,
    fresh: Uuid,
    owner_of: &dyn Fn(Uuid) -> Result<Option<i64>>,
) -> Result<Option<Uuid>> {
    let Some(origin) = origin else { return Ok(Some(fresh)) };
    if owner_of(origin)? == Some(owner.id) {
        return Ok(None);
    }
    let index = context.database().index();
    let parts: [&[u8]; 4] = [b"import", owner.uuid.as_bytes(), kind.as_bytes(), origin.as_bytes()];
    let uuid = uuid::Builder::from_random_bytes(index.request(&parts)).into_uuid();
    Ok(owner_of(uuid)?.is_none().then_some(uuid))
}

/// Takes one list out of a request. A record that `read` refuses is left out; what it does not take of a record is named.
fn take<T>(
    body: &mut JsonObject,
    list: &str,
    context: &Context,
    ignored: &mut Vec<String>,
    read: impl Fn(JsonObject) -> Result<(T, Vec<String>)>,
) -> Vec<Record<T>> {
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
        let Value::Object(mut fields) = item else {
            ignored.push(format!("{list}.{number}"));
            continue;
        };
        let origin = fields.get("uuid").and_then(Value::as_str);
        let origin = origin.and_then(|text| Uuid::try_parse(text).ok());
        fields.retain(|field, _| !FIXED.contains(&field.as_str()));
        match read(fields) {
            Ok((content, dropped)) => {
                ignored.extend(dropped.iter().map(|field| format!("{list}.{number}.{field}")));
                records.push(Record {
                    fresh: context.random().uuid(),
                    origin,
                    content,
                });
            }
            Err(_) => ignored.push(format!("{list}.{number}")),
        }
    }
    records
}
