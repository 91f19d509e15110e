//! `POST /patterns/{auth}`

use axum::response::Response;
use bespoke_core::entity::pattern::{PatternContent, sanitise_settings};
use bespoke_core::entity::set::NO_NOTES;
use bespoke_core::validate::MAX_NAME_BYTES;
use bespoke_database::patterns;
use bespoke_web::level::USER;
use bespoke_web::{Body, Caller, Error, JsonObject, Outcome, Result, Session, truthy};
use serde_json::{Value, json};

use crate::PatternAnswer;
use crate::content::{Changes, MAX_JSON_BYTES, NewPattern};

/// Fewest fields of a new pattern: a design, and settings.
const MIN_FIELDS: usize = 2;

/// Store a pattern
///
/// Measurements in the settings that are unknown or no number above zero are left out; `ignored` names them, and every
/// field that was not taken.
#[utoipa::path(post, path = "/patterns/{auth}", tag = "Patterns", operation_id = "createPattern",
    request_body = NewPattern,
    responses(
        (status = 201, description = "The pattern.", body = PatternAnswer),
        (status = 400, description = "`postBodyMissing`: fewer than two fields. `settingsNotAnObject`, `dataNotAnObject`, \
            `designMissing`, `designNotStringy`: the field is missing or not what it has to be. `designTooLong`, \
            `settingsTooLarge`, `dataTooLarge`: it is larger than what is taken."),
    ))]
pub(crate) async fn create(caller: Caller<USER>, session: Session, body: Body) -> Result<Response> {
    let mut body = body.required()?;
    let design = check(&body)?;
    let image = session.take_image(&mut body).await;
    body.remove("design");
    for field in ["name", "notes"] {
        // Empty ones count as none.
        if body.get(field) == Some(&json!("")) {
            body.remove(field);
        }
    }
    if body.get("data").is_some_and(|data| !truthy(data)) {
        body.remove("data");
    }
    let (changes, mut ignored) = Changes::read(body);
    let mut content = PatternContent {
        design,
        name: NO_NOTES.to_owned(),
        notes: NO_NOTES.to_owned(),
        data: json!({}),
        settings: json!({}),
        public: false,
        img: Some(session.config().default_pattern_image.clone()),
    };
    sanitise_settings(&mut content.settings);
    changes.apply(&mut content);
    let (uuid, now) = (session.random().uuid(), session.now());
    let make = caller.create(&session, move |db, actor| {
        Ok(patterns::insert(db, uuid, actor.user_id, &content, now)?)
    });
    let id = make.await?.value;
    crate::keep_image(&session, image, id, &mut ignored).await;
    crate::answer(&session, Outcome::Created, id, Some(ignored)).await
}

/// Gives the design.
fn check(body: &JsonObject) -> Result<String> {
    if body.len() < MIN_FIELDS {
        return Err(Error::bad_request("postBodyMissing"));
    }
    // Null ended the original's process: defect D16.
    let settings = body.get("settings").filter(|settings| settings.is_object());
    let settings = settings.ok_or(Error::bad_request("settingsNotAnObject"))?;
    let data = body.get("data").filter(|data| truthy(data));
    if data.is_some_and(|data| !data.is_object()) {
        return Err(Error::bad_request("dataNotAnObject"));
    }
    let given = |design: &&Value| truthy(design);
    let design = body.get("design").filter(given);
    let design = design.or_else(|| data.and_then(|data| data.get("design")).filter(given));
    let design = design.ok_or(Error::bad_request("designMissing"))?;
    let design = design.as_str().ok_or(Error::bad_request("designNotStringy"))?;
    if design.len() > MAX_NAME_BYTES {
        return Err(Error::bad_request("designTooLong"));
    }
    if settings.to_string().len() > MAX_JSON_BYTES {
        return Err(Error::bad_request("settingsTooLarge"));
    }
    if data.is_some_and(|data| data.to_string().len() > MAX_JSON_BYTES) {
        return Err(Error::bad_request("dataTooLarge"));
    }
    Ok(design.to_owned())
}
