//! `POST /sets/{auth}`

use axum::response::Response;
use bespoke_core::entity::set::{NO_NOTES, SetContent};
use bespoke_core::validate::MAX_NAME_BYTES;
use bespoke_database::sets;
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Body, Caller, Error, Outcome, Result, Session};
use serde_json::Value;

use crate::SetAnswer;
use crate::content::{Changes, NewSet};

/// Store a measurements set
///
/// Measurements that are unknown or no number above zero are left out; `ignored` names them, and every field that was not
/// taken.
#[utoipa::path(post, path = "/sets/{auth}", tag = "Sets", operation_id = "createSet", request_body = NewSet,
    responses(
        (status = 201, description = "The set.", body = SetAnswer),
        (status = 400, description = "`postBodyMissing`, `nameMissing`: the field is missing. \
            `nameTooLong`: the name has more than 1024 bytes."),
    ))]
pub(crate) async fn create(caller: Caller<WRITE_SOME>, session: Session, body: Body) -> Result<Response> {
    let mut body = body.required()?;
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
    let image = session.take_image(&mut body).await;
    let (changes, mut ignored) = Changes::read(body);
    changes.apply(&mut content);
    let (uuid, now) = (session.random().uuid(), session.now());
    let make = caller.create(&session, move |db, actor| {
        Ok(sets::insert(db, uuid, actor.user_id, &content, now)?)
    });
    let id = make.await?.value;
    crate::keep_image(&session, image, id, &mut ignored).await;
    crate::answer(&session, Outcome::Created, id, Some(ignored)).await
}
