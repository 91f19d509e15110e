//! `POST /sets/{auth}`

use axum::response::Response;
use bespoke_database::sets;
use bespoke_web::content::set::{self, NewSet};
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Body, Caller, Outcome, Result, Session};

use crate::SetAnswer;

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
    set::check(&body)?;
    let image = session.take_image(&mut body).await;
    let (content, mut ignored) = set::create(body, session.config());
    let (uuid, now) = (session.random().uuid(), session.now());
    let make = caller.create(&session, move |db, actor| {
        Ok(sets::insert(db, uuid, actor.user_id, &content, now)?)
    });
    let id = make.await?.value;
    crate::keep_image(&session, image, id, &mut ignored).await;
    crate::answer(&session, Outcome::Created, id, Some(ignored)).await
}
