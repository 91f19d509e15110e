//! Suggestions of curated sets and option packs: users submit them, and curators list and remove them.

use axum::response::Response;
use bespoke_core::entity::suggestion::{Suggestion, SuggestionKind};
use bespoke_core::permission::Actor;
use bespoke_core::{EntityId, Timestamp};
use bespoke_database::{Db, suggestions};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::level::CURATOR;
use crate::auth::Caller;
use crate::body::JsonObject;
use crate::request;
use crate::request::{Id, Paging};
use crate::response::{Error, Outcome, Result, ok};
use crate::state::Session;

/// The maximum number of pending suggestions of one account.
const MAX_WAITING: i64 = 100;

/// A submitted suggestion.
#[derive(Debug, Serialize, ToSchema)]
pub struct Submission {
    /// `cset` or `opack`.
    r#type: &'static str,
    /// UUID of the suggestion.
    id: Uuid,
}

impl Submission {
    /// A suggested set.
    pub fn set(id: Uuid) -> Self {
        Self { r#type: "cset", id }
    }

    /// A suggested option pack.
    pub fn pack(id: Uuid) -> Self {
        Self { r#type: "opack", id }
    }
}

/// The response to a suggestion.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SubmissionAnswer)]
pub struct SubmissionResponse {
    result: Outcome,
    submission: Submission,
    /// Names of the ignored fields.
    ignored: Vec<String>,
}

/// Returns 200 for a submitted suggestion.
pub fn submitted(submission: Submission, ignored: Vec<String>) -> Response {
    ok(&SubmissionResponse {
        result: Outcome::Success,
        submission,
        ignored,
    })
}

/// Stores a suggestion of `actor`.
///
/// # Errors
/// 409 `tooManySuggestions`
pub fn store(db: &Db<'_>, actor: Actor, suggestion: &Suggestion) -> Result<()> {
    if suggestions::count_by_user(db, actor.user_id)? >= MAX_WAITING {
        return Err(Error::conflict("tooManySuggestions"));
    }
    Ok(suggestions::insert(db, suggestion)?)
}

/// Finds a suggestion by its UUID. Suggestions have no public integer id.
///
/// # Errors
/// Database errors.
pub fn find(db: &Db<'_>, Id(id): Id) -> Result<Option<Suggestion>> {
    match id {
        EntityId::Uuid(uuid) => Ok(suggestions::by_uuid(db, uuid)?),
        EntityId::Integer(_) => Ok(None),
    }
}

/// A suggestion in responses for curators.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Suggestion)]
pub struct SuggestionView {
    id: Uuid,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The suggested fields: `name`, `notes`, `set` and `height` of a set; `notes`, `design` and `options` of a pack.
    #[schema(value_type = HashMap<String, Value>)]
    data: JsonObject,
    /// `sugset` or `opack`.
    r#type: &'static str,
    user_id: i64,
    uuid: Uuid,
    user_uuid: Uuid,
}

impl From<Suggestion> for SuggestionView {
    fn from(suggestion: Suggestion) -> Self {
        Self {
            id: suggestion.uuid,
            created_at: suggestion.created_at,
            data: suggestion.data,
            r#type: suggestion.kind.name(),
            user_id: suggestion.user_id,
            uuid: suggestion.uuid,
            user_uuid: suggestion.user_uuid,
        }
    }
}

/// Suggestions of one kind.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuggestionList {
    result: Outcome,
    suggested: Vec<SuggestionView>,
}

/// Returns 200 with the suggestions of one kind.
///
/// # Errors
/// The errors of [`Paging::page`], [`Session::read_blocking`] and [`crate::list`].
pub async fn list(session: &Session, kind: SuggestionKind, paging: &Paging) -> Result<Response> {
    let page = paging.page()?;
    let found = session
        .read_blocking(move |db| Ok(suggestions::by_kind(db, kind, page)?))
        .await?;
    request::list(&SuggestionList {
        result: Outcome::Success,
        suggested: found.into_iter().map(Into::into).collect(),
    })
}

/// Deletes a suggestion of one kind, and its image.
///
/// # Errors
/// 404 if it does not exist; 400 `typeMismatch` if it is of another kind.
pub async fn remove(caller: &Caller<CURATOR>, session: &Session, id: Id, kind: SuggestionKind) -> Result<()> {
    let remove = caller.write(session, move |db, _| {
        let suggestion = find(db, id)?.ok_or_else(Error::not_found)?;
        if suggestion.kind != kind {
            return Err(Error::bad_request("typeMismatch"));
        }
        Ok(suggestions::delete(db, suggestion.uuid)?)
    });
    remove.await?;
    session.remove_leftovers().await;
    Ok(())
}
