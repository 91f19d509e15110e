//! `POST /curated-sets/{id}/clone/{auth}`: [`clone`] copies a curated set into the caller's account.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::set::{NO_NOTES, SetContent};
use bespoke_core::validate::Language;
use bespoke_database::sets;
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Body, Caller, Error, Id, Outcome, Result, Session, created, view};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[schema(as = ClonedSetAnswer)]
pub(crate) struct ClonedSetResponse {
    result: Outcome,
    set: view::Set,
}

/// Body of `POST /curated-sets/{id}/clone/{auth}`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct CloneRequest {
    /// Language of the name and the notes: en, de, es, fr, nl or uk.
    #[schema(example = "en")]
    language: String,
}

/// Copy a curated set into the caller's account
///
/// The copy is a private set of the caller.
#[utoipa::path(post, path = "/curated-sets/{id}/clone/{auth}", tag = "Curated sets", operation_id = "cloneCuratedSet",
    request_body = CloneRequest,
    responses(
        (status = 201, description = "The copy.", body = ClonedSetResponse),
        (status = 400, description = "`languageMissing`: the language is missing or unknown. `nameMissing`: the curated \
            set has no name in that language."),
        (status = 404, description = "There is no such curated set."),
    ))]
pub(crate) async fn clone(caller: Caller<WRITE_SOME>, session: Session, id: Id, body: Body) -> Result<Response> {
    let language: Option<Language> = body
        .0
        .get("language")
        .and_then(Value::as_str)
        .and_then(|code| code.parse().ok());
    let language = language.ok_or(Error::bad_request("languageMissing"))?;
    let (uuid, now) = (session.random().uuid(), session.now());
    let image = session.config().default_set_image.clone();
    let copy = caller.create(&session, move |db, actor| {
        let curated = crate::find(db, id)?.content;
        let text = |text: &str, default: &str| if text.is_empty() { default } else { text }.to_owned();
        let content = SetContent {
            name: text(curated.texts.names.get(language), ""),
            notes: text(curated.texts.notes.get(language), NO_NOTES),
            imperial: false,
            public: false,
            measies: curated.measies,
            img: Some(image.clone()),
        };
        if content.name.is_empty() {
            return Err(Error::bad_request("nameMissing"));
        }
        Ok(sets::insert(db, uuid, actor.user_id, &content, now)?)
    });
    let clone_id = copy.await?.value;
    let set = session
        .read(|db| sets::stored_by_id(db, EntityId::Integer(clone_id))?.ok_or_else(Error::not_found))
        .await?;
    Ok(created(&ClonedSetResponse {
        result: Outcome::Created,
        set: view::Set::new(&set, &session),
    }))
}
