//! `POST /patterns/{auth}`: [`create`] stores a pattern.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::image::ImageId;
use bespoke_database::patterns;
use bespoke_web::content::pattern::{self, NewPattern};
use bespoke_web::level::USER;
use bespoke_web::{Body, Caller, Id, Outcome, Result, Session};

use crate::PatternResponse;

/// Store a pattern
///
/// Unknown measurements in the settings, and values that are not positive numbers, are ignored. `ignored` lists them and all other
/// ignored fields.
#[utoipa::path(post, path = "/patterns/{auth}", tag = "Patterns", operation_id = "createPattern",
    request_body = NewPattern,
    responses(
        (status = 201, description = "The pattern.", body = PatternResponse),
        (status = 400, description = "`postBodyMissing`: fewer than two fields. `settingsNotAnObject`, `dataNotAnObject`, \
            `designMissing`, `designNotStringy`: the field is missing or invalid. `designTooLong`, \
            `settingsTooLarge`, `dataTooLarge`: the field is too large."),
    ))]
pub(crate) async fn create(caller: Caller<USER>, session: Session, body: Body) -> Result<Response> {
    let mut body = body.required()?;
    let checked = pattern::check(&mut body)?;
    let mut image = session.take_image(&mut body).await;
    let (content, mut ignored) = pattern::create(checked, body, session.config());
    let (uuid, now) = (session.random().uuid(), session.now());
    let make = caller.create(&session, move |db, actor| {
        Ok(patterns::insert(db, uuid, actor.user_id, &content, now)?)
    });
    let creation = make.await?;
    let id = creation.value;
    if creation.is_repeat {
        let pattern = session.read(|db| crate::find(db, Id(EntityId::Integer(id)))).await?;
        let has_image = pattern.content.img == Some(ImageId::Pattern(id).to_string());
        image = caller.image_of_repeat(&session, image, has_image).await?;
    }
    crate::save_image(&session, image, id, &mut ignored).await;
    crate::respond(&session, Outcome::Created, id, Some(ignored)).await
}
