//! `POST /curated-sets/{auth}`: [`create`] stores a curated set.

use axum::response::Response;
use bespoke_core::entity::curated_set::{CuratedSetContent, DEFAULT_HEIGHT};
use bespoke_core::entity::image::ImageId;
use bespoke_core::entity::texts::Texts;
use bespoke_database::curated_sets;
use bespoke_web::level::CURATOR;
use bespoke_web::{Body, Caller, Error, JsonObject, Outcome, Result, Session, truthy};
use serde_json::Value;

use crate::CuratedSetResponse;
use crate::content::{Changes, CuratedSetRequest, height_of};

/// Create a curated set
///
/// A new set is not published. Unknown measurements, and values that are not positive numbers, are ignored. `ignored` lists them
/// and all other ignored fields.
#[utoipa::path(post, path = "/curated-sets/{auth}", tag = "Curated sets", operation_id = "createCuratedSet",
    request_body = CuratedSetRequest,
    responses(
        (status = 201, description = "The curated set.", body = CuratedSetResponse),
        (status = 400, description = "`postBodyMissing`, `nameEnMissing`: the field is missing. `heightInvalid`: the \
            height is not a number. `infoInvalid`: `info` is not a string. `unitsInvalid`: unknown unit."),
    ))]
pub(crate) async fn create(caller: Caller<CURATOR>, session: Session, body: Body) -> Result<Response> {
    let mut body = body.required()?;
    check(&body)?;
    let mut image = session.take_image(&mut body).await;
    body.remove("published");
    let (changes, mut ignored) = Changes::read(body)?;
    let mut content = CuratedSetContent {
        height: DEFAULT_HEIGHT,
        texts: Texts::default(),
        measies: JsonObject::new(),
        published: false,
    };
    changes.apply(&mut content);
    let (uuid, now) = (session.random().uuid(), session.now());
    let make = caller.create(&session, move |db, _| {
        Ok(curated_sets::insert(db, uuid, &content, now)?)
    });
    let creation = make.await?;
    let id = creation.value;
    if creation.is_repeat {
        let has_image = session.may_have_image(&ImageId::CuratedSet(id)).await;
        image = caller.image_of_repeat(&session, image, has_image).await?;
    }
    crate::save_image(&session, image, id, &mut ignored).await;
    crate::respond(&session, Outcome::Created, id, Some(ignored)).await
}

fn check(body: &JsonObject) -> Result<()> {
    let name = body.get("nameEn").and_then(Value::as_str);
    if name.is_none_or(str::is_empty) {
        return Err(Error::bad_request("nameEnMissing"));
    }
    let given = |field: &str| body.get(field).filter(|value| truthy(value));
    if given("height").is_some_and(|height| height_of(height).is_none()) {
        return Err(Error::bad_request("heightInvalid"));
    }
    if given("info").is_some_and(|info| !info.is_string()) {
        return Err(Error::bad_request("infoInvalid"));
    }
    Ok(())
}
