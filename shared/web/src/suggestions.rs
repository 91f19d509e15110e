//! What curated sets and option packs have in common: users suggest them, curators list and remove what was suggested.

use axum::response::Response;
use bespoke_core::entity::suggestion::{Suggestion, SuggestionKind};
use bespoke_core::permission::Actor;
use bespoke_core::{EntityId, Timestamp};
use bespoke_database::{Db, suggestions};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::level::CURATOR;
use crate::{Caller, Error, Id, JsonObject, Outcome, Paging, Result, Session, ok};

/// Most suggestions of one account that wait at a time.
const MAX_WAITING: i64 = 100;

/// What was suggested.
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

/// The answer to a suggestion.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubmissionAnswer {
    result: Outcome,
    submission: Submission,
    /// Names of the fields that were sent and not taken.
    ignored: Vec<String>,
}

/// 200 for a suggestion.
pub fn submitted(submission: Submission, ignored: Vec<String>) -> Response {
    ok(&SubmissionAnswer {
        result: Outcome::Success,
        submission,
        ignored,
    })
}

/// Stores a suggestion of `actor`, unless too many wait.
///
/// # Errors
/// 409 `tooManySuggestions`
pub fn store(db: &Db<'_>, actor: Actor, suggestion: &Suggestion) -> Result<()> {
    if suggestions::count_by_user(db, actor.user_id)? >= MAX_WAITING {
        return Err(Error::conflict("tooManySuggestions"));
    }
    Ok(suggestions::insert(db, suggestion)?)
}

/// The suggestion of that id; suggestions were known by their UUID in every API generation.
///
/// # Errors
/// When it cannot be read.
pub fn find(db: &Db<'_>, Id(id): Id) -> Result<Option<Suggestion>> {
    match id {
        EntityId::Uuid(uuid) => Ok(suggestions::by_uuid(db, uuid)?),
        EntityId::Integer(_) => Ok(None),
    }
}

/// A suggestion, as curators see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Suggestion)]
pub struct SuggestionView {
    id: Uuid,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// What was suggested: `name`, `notes`, `set` and `height` of a set; `notes`, `design` and `options` of a pack.
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

/// 200 with the suggestions of one kind.
///
/// # Errors
/// Those of a list.
pub async fn list(session: &Session, kind: SuggestionKind, paging: &Paging) -> Result<Response> {
    let page = paging.page()?;
    let found = session
        .read_blocking(move |db| Ok(suggestions::by_kind(db, kind, page)?))
        .await?;
    crate::list(&SuggestionList {
        result: Outcome::Success,
        suggested: found.into_iter().map(Into::into).collect(),
    })
}

/// Removes a suggestion of one kind, and its image.
///
/// # Errors
/// 404, and 400 `typeMismatch` for one of another kind.
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
