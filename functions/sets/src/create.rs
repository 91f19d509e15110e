//! `POST /sets/{auth}`

use axum::response::Response;
use bespoke_core::entity::set::SetContent;
use bespoke_core::permission::Actor;
use bespoke_database::{Db, sets};
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Body, Caller, Error, IdempotencyKey, Outcome, Result, Session, created};
use serde_json::Value;

use crate::SetAnswer;
use crate::content::{Changes, MAX_NAME_BYTES, NewSet};

/// What the notes say when nothing was sent.
const NO_NOTES: &str = "--";

/// Store a measurements set
///
/// Measurements that are unknown or no number above zero are left out; `ignored` names them, and every field that was not
/// taken.
#[utoipa::path(post, path = "/sets/{auth}", tag = "Sets", operation_id = "createSet", request_body = NewSet,
    params(IdempotencyKey),
    responses(
        (status = 201, description = "The set.", body = SetAnswer),
        (status = 400, description = "`postBodyMissing`, `nameMissing`: the field is missing. \
            `nameTooLong`: the name has more than 1024 bytes."),
        (status = 422, description = "`idempotencyKeyReused`: another request was sent under this `Idempotency-Key`."),
    ))]
pub(crate) async fn create(caller: Caller<WRITE_SOME>, session: Session, body: Body) -> Result<Response> {
    let body = body.required()?;
    let name = body.get("name").and_then(Value::as_str);
    if name.is_none_or(str::is_empty) {
        return Err(Error::bad_request("nameMissing"));
    }
    if name.is_some_and(|name| name.len() > MAX_NAME_BYTES) {
        return Err(Error::bad_request("nameTooLong"));
    }
    let mut content = SetContent {
        name: String::new(),
        notes: NO_NOTES.to_owned(),
        imperial: false,
        public: false,
        measies: Default::default(),
        img: Some(session.config().default_set_image.clone()),
    };
    let (changes, ignored) = Changes::read(body);
    changes.apply(&mut content);
    let (uuid, now) = (session.random().uuid(), session.now());
    let make = move |db: &Db<'_>, actor: Actor| Ok(sets::insert(db, uuid, actor.user_id, &content, now)?);
    let show = move |db: &Db<'_>, id: &i64| crate::show(db, Outcome::Created, *id, Some(ignored.clone()));
    Ok(created(&caller.create(&session, make, show).await?))
}
