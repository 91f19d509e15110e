//! `POST /account/import/{auth}`: [`import`] adds the records of an export to the caller's account.

mod records;

use axum::response::Response;
use bespoke_core::permission::Actor;
use bespoke_database::{Db, users};
use bespoke_web::level::USER;
use bespoke_web::{Body, Caller, Error, JsonObject, Outcome, Result, Session, ok, view};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::changes::Changes;
use crate::export::{FORMAT, VERSION};

use records::{Counts, Records};

/// Fields of the account that an import may change. Role, address, password and similar fields cannot be changed by a file. Consent
/// cannot either, because a person gives it to the operator of one instance.
const FIELDS: [&str; 8] = [
    "bio",
    "compare",
    "control",
    "data",
    "imperial",
    "language",
    "newsletter",
    "username",
];
/// Fields that describe the export itself.
const ENVELOPE: [&str; 4] = ["format", "version", "exportedAt", "url"];

/// An export. All fields except `format` and `version` are optional.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct Import {
    /// `bespoke-account`
    format: String,
    /// 1
    version: u32,
    /// Fields of the account. Only these are used: bio, compare, control, data, imperial, language, newsletter, username.
    #[schema(value_type = Option<HashMap<String, Value>>)]
    account: Option<JsonObject>,
    /// Sets, in the form of `POST /sets/{auth}`.
    #[schema(value_type = Option<Vec<HashMap<String, Value>>>)]
    sets: Option<Vec<Value>>,
    /// Patterns, in the form of `POST /patterns/{auth}`.
    #[schema(value_type = Option<Vec<HashMap<String, Value>>>)]
    patterns: Option<Vec<Value>>,
    /// Bookmarks, in the form of `POST /bookmarks/{auth}`.
    #[schema(value_type = Option<Vec<HashMap<String, Value>>>)]
    bookmarks: Option<Vec<Value>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ImportAnswer)]
struct ImportResponse {
    result: Outcome,
    account: view::Account,
    /// Numbers of records that were added.
    added: Counts,
    /// Numbers of records that the account already had, for example from an earlier import. They are not changed.
    present: Counts,
    /// Paths of ignored fields and records, for example `account.email`, `sets.3` (counted from 0) or `sets.0.measies.tail`.
    ignored: Vec<String>,
}

/// The result of the commit.
#[derive(Serialize, Deserialize)]
struct StoredImport {
    added: Counts,
    present: Counts,
    ignored: Vec<String>,
}

/// Import an export into the caller's account
///
/// Sets, patterns and bookmarks are added with new ids and without their images. Records that the account already has are skipped,
/// so that the same file can be sent again. The fields of the account change as with `PATCH /account/{auth}`. Invalid parts do not
/// fail the request; `ignored` lists them.
#[utoipa::path(post, path = "/account/import/{auth}", tag = "Accounts", operation_id = "importAccount", request_body = Import,
    responses(
        (status = 200, description = "The account, and the numbers of imported records.", body = ImportResponse),
        (status = 400, description = "`postBodyMissing`. `formatUnknown`: the file is not an export, or is of a later version. \
            `tooManyRecords`: more than 5000 sets, patterns and bookmarks."),
        (status = 401, description = "The account was removed during the call."),
        (status = 404, description = "The account was removed during the call."),
    ))]
pub(crate) async fn import(caller: Caller<USER>, session: Session, body: Body) -> Result<Response> {
    let mut body = body.required()?;
    if body.get("format") != Some(&FORMAT.into()) || body.get("version") != Some(&VERSION.into()) {
        return Err(Error::bad_request("formatUnknown"));
    }
    // Imports of an account run one after the other, because each one writes for a long time.
    let _permit = session.long_read_permit().await?;
    let mut ignored = Vec::new();
    let changes = take_account(body.remove("account"), caller.actor.user_id, &mut ignored);
    let records = Records::take(&mut body, &session, &mut ignored)?;
    ignored.extend(body.keys().filter(|part| !ENVELOPE.contains(&part.as_str())).cloned());

    let writer = session.clone();
    let store = move |db: &Db<'_>, actor: Actor| {
        let user = users::account_status(db, actor.user_id)?.ok_or_else(Error::not_found)?;
        let (added, present) = records.store(db, &user, &writer)?;
        let ignored = changes.store(db, &writer, actor)?.refused;
        Ok(StoredImport {
            added,
            present,
            ignored,
        })
    };
    let stored = caller.write(&session, store).await?;
    ignored.extend(stored.ignored.into_iter().map(|field| format!("account.{field}")));
    Ok(ok(&ImportResponse {
        result: Outcome::Success,
        account: crate::load(&session, caller.actor.user_id).await?.into(),
        added: stored.added,
        present: stored.present,
        ignored,
    }))
}

/// Parses the changes that the file makes to the account with that integer id.
fn take_account(account: Option<Value>, id: i64, ignored: &mut Vec<String>) -> Changes {
    let fields = match account {
        Some(Value::Object(fields)) => fields,
        None => JsonObject::new(),
        Some(_) => {
            ignored.push("account".to_owned());
            JsonObject::new()
        }
    };
    let (taken, fixed): (JsonObject, JsonObject) = fields
        .into_iter()
        .partition(|(field, _)| FIELDS.contains(&field.as_str()));
    let (changes, invalid) = Changes::read(taken, id);
    let names = fixed.into_iter().map(|(field, _)| field).chain(invalid);
    ignored.extend(names.map(|field| format!("account.{field}")));
    changes
}
