//! `POST /sets/{auth}`

use axum::response::Response;
use bespoke_core::entity::set::SetContent;
use bespoke_database::sets;
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Body, Caller, Error, Outcome, Result, Session};
use serde_json::Value;

use crate::SetAnswer;
use crate::content::{Changes, NewSet};

/// What the notes say when nothing was sent.
const NO_NOTES: &str = "--";

/// Store a measurements set
///
/// Measurements that are unknown or no number above zero are left out; `ignored` names them, and every field that was not
/// taken.
#[utoipa::path(post, path = "/sets/{auth}", tag = "Sets", operation_id = "createSet", request_body = NewSet,
    responses(
        (status = 201, description = "The set.", body = SetAnswer),
        (status = 400, description = "`postBodyMissing`, `nameMissing`: the field is missing."),
    ))]
pub(crate) async fn create(caller: Caller<WRITE_SOME>, session: Session, body: Body) -> Result<Response> {
    let body = body.required()?;
    let name = body.get("name").and_then(Value::as_str);
    if name.is_none_or(str::is_empty) {
        return Err(Error::bad_request("nameMissing"));
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
    let (uuid, user_id, now) = (session.random().uuid(), caller.actor.user_id, session.now());
    let id = session
        .write(move |db| Ok(sets::insert(db, uuid, user_id, &content, now)?))
        .await?;
    crate::answer(&session, Outcome::Created, id, Some(ignored)).await
}
