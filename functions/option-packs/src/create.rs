//! `POST /option-packs/{auth}`: [`create`] stores an option pack.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::image::ImageId;
use bespoke_core::entity::option_pack::OptionPackContent;
use bespoke_core::entity::texts::Texts;
use bespoke_core::validate::MAX_NAME_BYTES;
use bespoke_database::option_packs;
use bespoke_web::level::CURATOR;
use bespoke_web::{Body, Caller, Error, Id, JsonObject, Outcome, Result, Session, truthy};
use serde_json::Value;

use crate::OptionPackResponse;
use crate::content::{Changes, OptionPackRequest};

/// Create an option pack
#[utoipa::path(post, path = "/option-packs/{auth}", tag = "Option packs", operation_id = "createOptionPack",
    request_body = OptionPackRequest,
    responses(
        (status = 201, description = "The option pack.", body = OptionPackResponse),
        (status = 400, description = "`postBodyMissing`, `designMissing`, `nameEnMissing`: the field is missing. \
            `optionsNotAnObject`, `optionsTooLarge`, `infoInvalid`: the field is invalid."),
    ))]
pub(crate) async fn create(caller: Caller<CURATOR>, session: Session, body: Body) -> Result<Response> {
    let mut body = body.required()?;
    let design = check(&body)?;
    let mut image = session.take_image(&mut body).await;
    body.remove("design");
    let (changes, mut ignored) = Changes::read(body);
    let mut content = OptionPackContent {
        design,
        texts: Texts::default(),
        options: JsonObject::new(),
        img: Some(session.config().default_option_pack_image.clone()),
    };
    if !changes.apply(&mut content) {
        return Err(Error::bad_request("optionsTooLarge"));
    }
    let (uuid, now) = (session.random().uuid(), session.now());
    let make = caller.create(&session, move |db, _| {
        Ok(option_packs::insert(db, uuid, &content, now)?)
    });
    let creation = make.await?;
    let id = creation.value;
    if creation.is_repeat {
        let pack = session.read(|db| crate::find(db, Id(EntityId::Integer(id)))).await?;
        let has_image = pack.content.img == Some(ImageId::OptionPack(id).to_string());
        image = caller.image_of_repeat(&session, image, has_image).await?;
    }
    crate::save_image(&session, image, id, &mut ignored).await;
    crate::respond(&session, Outcome::Created, id, Some(ignored)).await
}

/// Validates a request. Returns the name of the design.
fn check(body: &JsonObject) -> Result<String> {
    let given = |field: &str| body.get(field).filter(|value| truthy(value));
    let text = |field: &str| {
        given(field)
            .and_then(Value::as_str)
            .filter(|text| text.len() <= MAX_NAME_BYTES)
    };
    let design = text("design").ok_or(Error::bad_request("designMissing"))?;
    text("nameEn").ok_or(Error::bad_request("nameEnMissing"))?;
    if given("options").is_some_and(|options| !options.is_object()) {
        return Err(Error::bad_request("optionsNotAnObject"));
    }
    if given("info").is_some_and(|info| !info.is_string()) {
        return Err(Error::bad_request("infoInvalid"));
    }
    Ok(design.to_lowercase())
}
