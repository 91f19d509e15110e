//! The function `confirmations`: returns a confirmation that has not been used yet, or a suggested set. [`router`] lists its routes.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::confirmation::is_code;
use bespoke_core::entity::suggestion::SuggestionKind;
use bespoke_database::confirmations;
use bespoke_web::attempts::AttemptTarget;
use bespoke_web::content::suggestions;
use bespoke_web::{ClientIp, Error, Id, JsonObject, Outcome, Params, Public, Result, Routes, Session, ok, route};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// The routes of the `confirmations` function, one of the deployable groups of routes.
pub fn router() -> Routes {
    Routes::new("confirmations").with(route!(read).writes())
}

/// A suggested set.
#[derive(Serialize, ToSchema)]
struct SubmissionView {
    id: Uuid,
    name: Value,
    notes: Value,
    /// Integer id of the set.
    set: Value,
    /// Height as it was suggested: a number or a string.
    height: Value,
}

#[derive(Serialize, ToSchema)]
struct SuggestedSet {
    result: Outcome,
    submission: SubmissionView,
}

#[derive(Serialize, ToSchema)]
struct ConfirmationView {
    id: Uuid,
    check: String,
}

#[derive(Serialize, ToSchema)]
struct OpenConfirmation {
    result: Outcome,
    confirmation: ConfirmationView,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Answer)]
enum ConfirmationResponse {
    SuggestedSet(Box<SuggestedSet>),
    Confirmation(OpenConfirmation),
}

/// Read an open confirmation
///
/// Needs the check of its link, or the code in the mail. Reading does not use the confirmation. A suggested set can be read with its id and any check, because
/// clients depend on this.
#[utoipa::path(get, path = "/confirmations/{id}/{check}", tag = "Service", operation_id = "readConfirmation",
    params(
        ("id" = Uuid, Path, description = "The id from the link in the mail, or that of a suggestion."),
        ("check" = String, Path, description = "The check from the link in the mail, or the code in the mail."),
    ),
    responses(
        (status = 200, description = "The open confirmation, or the suggested set.", body = ConfirmationResponse),
        (status = 404, description = "There is no such confirmation, it has expired, or the check is wrong."),
    ))]
async fn read(_: Public, session: Session, client: ClientIp, id: Id, params: Params) -> Result<Response> {
    let suggestion = session.read(|db| suggestions::find(db, id)).await?;
    if let Some(suggestion) = suggestion {
        return match suggestion.kind {
            SuggestionKind::Set => Ok(ok(&ConfirmationResponse::SuggestedSet(Box::new(SuggestedSet {
                result: Outcome::Success,
                submission: submission(suggestion.uuid, &suggestion.data),
            })))),
            SuggestionKind::Pack => Err(Error::not_found()),
        };
    }
    let Id(EntityId::Uuid(uuid)) = id else {
        return Err(Error::not_found());
    };
    let origin = session.origin(client);
    let found = session.read(|db| Ok(confirmations::by_uuid(db, uuid)?)).await?;
    let found = found
        .filter(|found| !found.expired(origin.now))
        .ok_or_else(Error::not_found)?;
    let (subject, owner) = (AttemptTarget::Confirmation(uuid), Some(found.user_id));
    let check = params.get("check");
    // Wrong codes are counted in the confirmation, so that they void the code and do not lock the link.
    let counts_as_attempt = !is_code(check);
    if counts_as_attempt && session.is_locked(&subject, owner, origin).await? {
        return Err(Error::not_found());
    }
    if !session.is_check(&found, check).await? {
        if counts_as_attempt {
            session.reserve_attempt(&subject, owner, origin).await?;
        }
        return Err(Error::not_found());
    }
    Ok(ok(&ConfirmationResponse::Confirmation(OpenConfirmation {
        result: Outcome::Success,
        confirmation: ConfirmationView {
            id: uuid,
            check: check.to_owned(),
        },
    })))
}

fn submission(id: Uuid, data: &JsonObject) -> SubmissionView {
    let field = |name: &str| data.get(name).cloned().unwrap_or_default();
    SubmissionView {
        id,
        name: field("name"),
        notes: field("notes"),
        set: field("set"),
        height: field("height"),
    }
}
