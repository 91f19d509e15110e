//! `POST /sets/{auth}`: [`create`] stores a measurement set.

use std::sync::Arc;

use axum::response::Response;
use bespoke_core::entity::image::ImageId;
use bespoke_core::entity::set::SetContent;
use bespoke_core::{EntityId, Scope};
use bespoke_database::sets;
use bespoke_web::content::set::{self, NewSet};
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Body, Caller, Id, Outcome, Result, Session};

use crate::SetResponse;

/// Store a measurements set
///
/// Unknown measurements, and values that are not positive numbers, are ignored. `ignored` lists them and all other ignored fields.
#[utoipa::path(post, path = "/sets/{auth}", tag = "Sets", operation_id = "createSet", request_body = NewSet,
    responses(
        (status = 201, description = "The set.", body = SetResponse),
        (status = 400, description = "`postBodyMissing`, `nameMissing`: the field is missing. \
            `nameTooLong`: the name has more than 1024 bytes. `unitsInvalid`: unknown unit."),
    ))]
pub(crate) async fn create(caller: Caller<WRITE_SOME>, session: Session, body: Body) -> Result<Response> {
    let mut body = body.required()?;
    set::check(&body)?;
    let mut image = session.take_image(&mut body).await;
    let (content, mut ignored) = set::create(body, session.config())?;
    let content = Arc::new(content);
    let (uuid, now) = (session.random().uuid(), session.now());
    let inserted = Arc::clone(&content);
    let make = caller.create(&session, move |db, actor| {
        Ok(sets::insert(db, uuid, actor.user_id, &inserted, now)?)
    });
    let creation = make.await?;
    let id = creation.value;
    if creation.is_repeat {
        let set = session.read(|db| crate::find(db, Id(EntityId::Integer(id)))).await?;
        let has_image = set.content.img == Some(ImageId::Set(id).to_string());
        // The image is not compared here, because it is stored after the set.
        let stored = SetContent {
            img: content.img.clone(),
            ..set.content
        };
        // The response shows the current set. A key that can only write must not read changes of other callers by repeating a request.
        if stored != *content {
            caller.require_scope(&session, Scope::SetsRead, Some(set.uuid)).await?;
        }
        image = caller.image_of_repeat(&session, image, has_image).await?;
    }
    crate::save_image(&session, image, id, &mut ignored).await;
    crate::respond(&session, Outcome::Created, id, Some(ignored)).await
}
