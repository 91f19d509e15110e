//! `POST /curated-sets/suggest/{auth}`: [`suggest`] suggests one of the caller's sets to the curators.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::image::ImageId;
use bespoke_core::entity::suggestion::{Suggestion, SuggestionKind};
use bespoke_core::validate::{MAX_NAME_BYTES, MAX_NOTES_BYTES};
use bespoke_database::{Db, sets};
use bespoke_web::content::suggestions::{self, Submission};
use bespoke_web::level::USER;
use bespoke_web::{Body, Caller, Error, JsonObject, Result, Session, truthy};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Limit for a height that is a string, in bytes.
const MAX_HEIGHT_BYTES: usize = 64;

/// Body of `POST /curated-sets/suggest/{auth}`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct SetSuggestion {
    /// Id of a set of the caller: the integer or the UUID.
    #[schema(value_type = Value, example = 12)]
    set: Value,
    /// Height of the person.
    #[schema(value_type = Value, example = "166cm")]
    height: Value,
    /// Name.
    #[schema(example = "Jane")]
    name: String,
    /// Notes.
    notes: Option<String>,
    /// An image (PNG, JPEG, WebP or GIF of at most 5 MiB) as a data URI.
    img: String,
}

/// Suggest one of the caller's sets for curation
#[utoipa::path(post, path = "/curated-sets/suggest/{auth}", tag = "Curated sets", operation_id = "suggestSet",
    request_body = SetSuggestion,
    responses(
        (status = 200, description = "The suggestion.", body = suggestions::SubmissionResponse),
        (status = 403, description = "`setMissing`, `heightMissing`, `nameMissing`, `imgMissing`: the field is missing \
            or invalid."),
        (status = 404, description = "There is no such set."),
        (status = 409, description = "`tooManySuggestions`: the caller already has 100 open suggestions."),
    ))]
pub(crate) async fn suggest(caller: Caller<USER>, session: Session, body: Body) -> Result<Response> {
    let Body(mut body) = body;
    let (set, mut data) = check(&body)?;
    let mut image = session.take_image(&mut body).await;
    let mut suggestion = Suggestion {
        uuid: session.random().uuid(),
        kind: SuggestionKind::Set,
        user_id: caller.actor.user_id,
        user_uuid: caller.account_status.uuid,
        data: JsonObject::new(),
        created_at: session.now(),
    };
    let id = suggestion.uuid;
    let found = session
        .read(|db| sets::stored_by_id(db, set)?.ok_or_else(Error::not_found))
        .await?;
    caller.actor.must_own(found.user_id)?;
    data.insert("set".into(), found.id.into());
    suggestion.data = data;
    let make = caller.create(&session, move |db, actor| {
        suggestions::store(db, actor, &suggestion)?;
        Ok(id)
    });
    let creation = make.await?;
    let (id, image_id) = (creation.value, ImageId::Suggestion(creation.value));
    if creation.is_repeat {
        let has_image = session.may_have_image(&image_id).await;
        image = caller.image_of_repeat(&session, image, has_image).await?;
    }
    let mut ignored = Vec::new();
    let refer = move |db: &Db<'_>, _: &str| Ok(bespoke_database::suggestions::by_uuid(db, id)?.is_some());
    session.save_image(image, image_id, &mut ignored, refer).await;
    Ok(suggestions::submitted(Submission::set(id), ignored))
}

/// Validates a request. Returns the id of the set, and the data of the suggestion.
fn check(body: &JsonObject) -> Result<(EntityId, JsonObject)> {
    let given = |field: &str| body.get(field).filter(|value| truthy(value));
    let text = |field: &str, limit: usize| {
        let text = given(field).and_then(Value::as_str);
        text.filter(|text| text.len() <= limit)
    };
    let set = given("set").and_then(|set| match set {
        Value::Number(number) => EntityId::parse(&number.to_string()),
        Value::String(text) => EntityId::parse(text).filter(|id| matches!(id, EntityId::Uuid(_))),
        _ => None,
    });
    let set = set.ok_or(Error::forbidden("setMissing"))?;
    let is_height =
        |height: &&Value| height.is_number() || height.as_str().is_some_and(|text| text.len() <= MAX_HEIGHT_BYTES);
    let height = given("height")
        .filter(is_height)
        .ok_or(Error::forbidden("heightMissing"))?;
    let name = text("name", MAX_NAME_BYTES).ok_or(Error::forbidden("nameMissing"))?;
    if given("img").is_none_or(|img| !img.is_string()) {
        return Err(Error::forbidden("imgMissing"));
    }
    let notes = text("notes", MAX_NOTES_BYTES).unwrap_or_default();
    let mut data = JsonObject::new();
    data.insert("name".into(), name.into());
    data.insert("notes".into(), notes.into());
    data.insert("set".into(), json!(null));
    data.insert("height".into(), height.clone());
    Ok((set, data))
}
