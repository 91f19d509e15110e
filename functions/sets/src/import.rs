//! `POST /sets/import/{auth}`: [`import`] adds several measurement sets to the caller's account.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::set::SetContent;
use bespoke_core::entity::user::AccountStatus;
use bespoke_database::{Db, Page, sets, stored_bytes};
use bespoke_web::content::import::{ImportedRecord, MAX_RECORDS};
use bespoke_web::content::set;
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Caller, Context, DocumentBody, Error, Growth, JsonObject, Outcome, Result, Session, view};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The maximum length of the texts of an import, in bytes. Aliases in YAML can make them longer than the request.
const MAX_TEXT_BYTES: u64 = 12 * 1024 * 1024;
/// The maximum length of the stored texts in a response, in bytes. The response to a repeated request contains the current sets, which may
/// have grown since the first one.
const MAX_RESPONSE_BYTES: u64 = 16 * 1024 * 1024;

/// Fields of an export or a list that contain no sets and are not reported as ignored.
const ENVELOPE: [&str; 5] = ["format", "version", "exportedAt", "url", "result"];

/// One set, in the form of `GET /sets/{id}.json` and `GET /sets/{id}.yaml`, or many sets, in the form of an export and `GET /sets/{auth}`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct ImportedSets {
    /// The sets. Without this field, the other fields describe one set.
    #[schema(value_type = Option<Vec<HashMap<String, Value>>>)]
    sets: Option<Vec<Value>>,
    /// Name.
    name: Option<String>,
    #[schema(value_type = Option<bespoke_web::view::schema::Measurements>)]
    measurements: Option<JsonObject>,
    /// Unit of the measurements. `metric` and `imperial` are the owner's preference, with values in millimetres. Values in `mm`, `cm` or
    /// `in` are converted.
    units: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ImportedSetsAnswer)]
struct ImportSetsResponse {
    result: Outcome,
    /// The added sets, in the order of the request.
    sets: Vec<view::Set>,
    /// Number of added sets.
    added: u32,
    /// Number of sets that the account already had, for example from an earlier import. They are not changed.
    present: u32,
    /// Paths of ignored fields, for example `account` or `sets.0.measies.tail` (counted from 0).
    ignored: Vec<String>,
}

/// The result of the commit.
#[derive(Serialize, Deserialize)]
struct StoredImport {
    /// Integer id of the last added set. The ids of one commit are consecutive.
    last: i64,
    added: u32,
    present: u32,
}

/// Import measurements sets
///
/// The body is a set, a list of sets, or an object with the list `sets`. The sets are added with new ids and without their images. Sets that
/// the account already has are skipped. Empty measurements are skipped. If a set is invalid, none is added, and `field` and `reason`
/// name the invalid field (sets are counted from 0). YAML of at most 64 KiB is accepted too, as `text/yaml` or `application/yaml`.
#[utoipa::path(post, path = "/sets/import/{auth}", tag = "Sets", operation_id = "importSets",
    request_body = ImportedSets,
    responses(
        (status = 201, description = "The added sets.", body = ImportSetsResponse),
        (status = 400, description = "`postBodyMissing`, `nameMissing`: the field is missing. \
            `nameTooLong`: a name has more than 1024 bytes. `formatUnknown`: the body is not a set. \
            `unitsUnknown`: unknown unit. `measurementsInvalid`: a measurement is not a number, not positive, \
            or more than 10,000 mm or 90 degrees. `tooManyRecords`: more than 5000 sets."),
        (status = 413, description = "`listTooLarge`: the request was repeated, and the sets have become too large for one \
            response. Read them with `GET /sets/{auth}`."),
    ))]
pub(crate) async fn import(caller: Caller<WRITE_SOME>, session: Session, body: DocumentBody) -> Result<Response> {
    // Imports of an account run one after the other, because each one reads and writes for a long time, also if the account has all sets.
    let permit = session.long_read_permit().await?;
    let (records, ignored) = take(body.records("sets")?, &session)?;
    let (owner, writer) = (caller.account_status.clone(), session.clone());
    let add = caller.create(&session, move |db, _| store(db, &records, &owner, &writer));
    let StoredImport { last, added, present } = add.await?.value;
    let page = Page {
        limit: Some(added),
        after: Some(EntityId::Integer(last - i64::from(added))),
    };
    let user_id = caller.actor.user_id;
    let read = session.read_with_permit(permit, move |db| {
        if stored_bytes(db, "sets", user_id, page, MAX_RESPONSE_BYTES)? > MAX_RESPONSE_BYTES {
            return Err(Error::list_too_large());
        }
        Ok(sets::by_user(db, user_id, page)?)
    });
    let mut sets = read.await?;
    // When a repeated request arrives, some of the sets may have been removed.
    sets.retain(|set| set.id <= last);
    Ok(Outcome::Created.into_response(&ImportSetsResponse {
        result: Outcome::Created,
        sets: sets.into_iter().map(|set| view::Set::new(&set, &session)).collect(),
        added,
        present,
        ignored,
    }))
}

/// Parses the sets of a request. Also returns the paths of the ignored fields.
fn take(mut body: JsonObject, context: &Context) -> Result<(Vec<ImportedRecord<SetContent>>, Vec<String>)> {
    let read = |fields| ImportedRecord::parse(fields, context, |fields| set::import(fields, context.config()));
    let Some(sets) = body.remove("sets") else {
        let (record, ignored) = read(body)?;
        return Ok((vec![record], ignored));
    };
    let Value::Array(sets) = sets else {
        return Err(Error::bad_request("formatUnknown").with_field("sets", "is not a list"));
    };
    if sets.len() > MAX_RECORDS {
        return Err(Error::bad_request("tooManyRecords"));
    }
    let mut records = Vec::new();
    body.retain(|part, _| !ENVELOPE.contains(&part.as_str()));
    let mut ignored: Vec<_> = body.into_iter().map(|(part, _)| part).collect();
    for (number, fields) in sets.into_iter().enumerate() {
        let path = format!("sets.{number}");
        let Value::Object(fields) = fields else {
            return Err(Error::bad_request("formatUnknown").with_field(path, "is not a set"));
        };
        let (record, dropped) = read(fields).map_err(|error| error.within(&path))?;
        ignored.extend(dropped.iter().map(|field| format!("{path}.{field}")));
        records.push(record);
    }
    Ok((records, ignored))
}

/// Stores the sets that the account does not have. Stores nothing if the account's limits do not allow all of them, because a refusal after
/// thousands of inserts would delay the writes of other accounts.
fn store(
    db: &Db<'_>,
    records: &[ImportedRecord<SetContent>],
    owner: &AccountStatus,
    context: &Context,
) -> Result<StoredImport> {
    let now = context.now();
    let owner_of = |uuid| Ok(sets::owner_of(db, uuid)?);
    let missing = ImportedRecord::missing(records, owner, context, "sets", &owner_of)?;
    let texts = missing.iter().map(|(_, set)| set.name.len() + set.notes.len());
    let growth = Growth {
        sets: missing.len() as u64,
        patterns: 0,
        bookmarks: 0,
        text_bytes: texts.sum::<usize>() as u64,
    };
    if growth.text_bytes > MAX_TEXT_BYTES {
        return Err(Error::body_too_large());
    }
    let limits = &context.config().account_limits;
    limits.check_growth(db, owner.id, growth, now)?;
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut stored = StoredImport {
        last: 0,
        added: count(missing.len()),
        present: count(records.len() - missing.len()),
    };
    for (uuid, content) in missing {
        stored.last = sets::insert(db, uuid, owner.id, content, now)?;
    }
    Ok(stored)
}
