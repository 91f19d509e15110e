//! `POST /option-packs/suggest/{auth}`: [`suggest`] suggests an option pack to the curators.

use axum::response::Response;
use bespoke_core::entity::suggestion::{Suggestion, SuggestionKind};
use bespoke_core::validate::{MAX_NAME_BYTES, MAX_NOTES_BYTES};
use bespoke_web::content::suggestions::{self, Submission};
use bespoke_web::level::USER;
use bespoke_web::{Body, Caller, Error, JsonObject, Result, Session};
use serde_json::Value;
use utoipa::ToSchema;

use crate::content::MAX_OPTIONS_BYTES;

/// Body of `POST /option-packs/suggest/{auth}`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct PackSuggestion {
    /// Name of the design.
    #[schema(example = "aaron")]
    design: String,
    /// The options, by name, at most 64 KiB.
    #[schema(value_type = HashMap<String, Value>, example = json!({ "chestEase": 0.1 }))]
    options: JsonObject,
    /// Notes.
    notes: String,
}

/// Suggest an option pack
#[utoipa::path(post, path = "/option-packs/suggest/{auth}", tag = "Option packs", operation_id = "suggestOptionPack",
    request_body = PackSuggestion,
    responses(
        (status = 200, description = "The suggestion.", body = suggestions::SubmissionResponse),
        (status = 403, description = "`designMissing`, `optionsMissing`, `notesMissing`: the field is missing or invalid."),
        (status = 409, description = "`tooManySuggestions`: the caller already has 100 open suggestions."),
    ))]
pub(crate) async fn suggest(caller: Caller<USER>, session: Session, body: Body) -> Result<Response> {
    let suggestion = Suggestion {
        uuid: session.random().uuid(),
        kind: SuggestionKind::Pack,
        user_id: caller.actor.user_id,
        user_uuid: caller.account_status.uuid,
        data: check(&body.0)?,
        created_at: session.now(),
    };
    let id = suggestion.uuid;
    let make = caller.create(&session, move |db, actor| {
        suggestions::store(db, actor, &suggestion)?;
        Ok(id)
    });
    let id = make.await?.value;
    Ok(suggestions::submitted(Submission::pack(id), Vec::new()))
}

/// Validates a request. Returns the data of the suggestion.
fn check(body: &JsonObject) -> Result<JsonObject> {
    let text = |field: &str, limit: usize| {
        let text = body.get(field).and_then(Value::as_str);
        text.filter(|text| !text.is_empty() && text.len() <= limit)
    };
    let design = text("design", MAX_NAME_BYTES).ok_or(Error::forbidden("designMissing"))?;
    let options = body.get("options").filter(|options| options.is_object());
    let options = options.filter(|options| options.to_string().len() <= MAX_OPTIONS_BYTES);
    let options = options.ok_or(Error::forbidden("optionsMissing"))?;
    let notes = text("notes", MAX_NOTES_BYTES).ok_or(Error::forbidden("notesMissing"))?;
    let mut data = JsonObject::new();
    data.insert("notes".into(), notes.into());
    data.insert("design".into(), design.to_lowercase().into());
    data.insert("options".into(), options.clone());
    Ok(data)
}
