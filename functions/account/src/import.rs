//! `POST /account/import/{auth}`

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

/// What is taken of an account. Role, address, password and the like are not for a file to change, and consent is given
/// to whoever keeps the data, by a person.
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
/// Parts of an export that describe it.
const ENVELOPE: [&str; 4] = ["format", "version", "exportedAt", "url"];

/// An export. Every part but `format` and `version` can be left out.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct Import {
    /// `bespoke-account`
    format: String,
    /// 1
    version: u32,
    /// Of this, what a change of the account would take: bio, compare, control, data, imperial, language, newsletter, username.
    #[schema(value_type = Option<HashMap<String, Value>>)]
    account: Option<JsonObject>,
    /// Sets, as `POST /sets/{auth}` takes them.
    #[schema(value_type = Option<Vec<HashMap<String, Value>>>)]
    sets: Option<Vec<Value>>,
    /// Patterns, as `POST /patterns/{auth}` takes them.
    #[schema(value_type = Option<Vec<HashMap<String, Value>>>)]
    patterns: Option<Vec<Value>>,
    /// Bookmarks, as `POST /bookmarks/{auth}` takes them.
    #[schema(value_type = Option<Vec<HashMap<String, Value>>>)]
    bookmarks: Option<Vec<Value>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ImportAnswer)]
struct Answer {
    result: Outcome,
    account: view::Account,
    /// Records that were added.
    added: Counts,
    /// Records that the account has already, from this or from an earlier import, and that stay as they are.
    present: Counts,
    /// What was sent and not taken: `account.email`, `sets.3` (counted from 0), `sets.0.measies.tail`, and the like.
    ignored: Vec<String>,
}

/// What the commit says of itself.
#[derive(Serialize, Deserialize)]
struct Stored {
    added: Counts,
    present: Counts,
    ignored: Vec<String>,
}

/// Import an export into one's account
///
/// Sets, patterns and bookmarks are added with new ids, without their images; one that the account has already is left alone,
/// so the same file can be sent again. The account's own fields change as by `PATCH /account/{auth}`. What cannot be taken
/// never fails the rest: `ignored` names it.
#[utoipa::path(post, path = "/account/import/{auth}", tag = "Accounts", operation_id = "importAccount", request_body = Import,
    responses(
        (status = 200, description = "The account, and what was taken.", body = Answer),
        (status = 400, description = "`postBodyMissing`. `formatUnknown`: this is no export, or one of a later version. \
            `tooManyRecords`: more than 5000 sets, patterns and bookmarks."),
        (status = 401, description = "The account was removed while the call was under way."),
        (status = 404, description = "The account was removed while the call was under way."),
    ))]
pub(crate) async fn import(caller: Caller<USER>, session: Session, body: Body) -> Result<Response> {
    let mut body = body.required()?;
    if body.get("format") != Some(&FORMAT.into()) || body.get("version") != Some(&VERSION.into()) {
        return Err(Error::bad_request("formatUnknown"));
    }
    // One after the other for an account, because each writes for a long time.
    let _permit = session.long_read_permit().await?;
    let mut ignored = Vec::new();
    let changes = take_account(body.remove("account"), &mut ignored);
    let records = Records::take(&mut body, &session, &mut ignored)?;
    ignored.extend(body.keys().filter(|part| !ENVELOPE.contains(&part.as_str())).cloned());

    let writer = session.clone();
    let store = move |db: &Db<'_>, actor: Actor| {
        let user = users::account_status(db, actor.user_id)?.ok_or_else(Error::not_found)?;
        let (added, present) = records.store(db, &user, &writer)?;
        let ignored = changes.store(db, &writer, actor)?.refused;
        Ok(Stored {
            added,
            present,
            ignored,
        })
    };
    let stored = caller.write(&session, store).await?;
    ignored.extend(stored.ignored.into_iter().map(|field| format!("account.{field}")));
    Ok(ok(&Answer {
        result: Outcome::Success,
        account: crate::load(&session, caller.actor.user_id).await?.into(),
        added: stored.added,
        present: stored.present,
        ignored,
    }))
}

/// The changes that the file means for the account.
fn take_account(account: Option<Value>, ignored: &mut Vec<String>) -> Changes {
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
    let (changes, invalid) = Changes::read(taken);
    let names = fixed.into_iter().map(|(field, _)| field).chain(invalid);
    ignored.extend(names.map(|field| format!("account.{field}")));
    changes
}
