//! `GET /confirmations/{id}/{check}`

use axum::response::Response;
use bespoke_core::entity::confirmation::Kind;
use bespoke_web::{Error, Id, Outcome, Params, Public, Result, Session, ok};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Serialize, ToSchema)]
#[schema(as = ConfirmationAnswer)]
pub(crate) struct Answer {
    result: Outcome,
    confirmation: OpenConfirmation,
}

#[derive(Serialize, ToSchema)]
struct OpenConfirmation {
    id: Uuid,
    check: String,
}

/// Whether a link is open
///
/// Looking does not use it up.
#[utoipa::path(get, path = "/confirmations/{id}/{check}", tag = "Accounts", operation_id = "readConfirmation",
    params(
        ("id" = Uuid, Path, description = "The id in the link of the mail."),
        ("check" = String, Path, description = "The check of the link in the mail."),
    ),
    responses(
        (status = 200, description = "It is.", body = Answer),
        (status = 404, description = "The link is no longer open, or its check is wrong."),
    ))]
pub(crate) async fn read(_: Public, session: Session, id: Id, params: Params) -> Result<Response> {
    let now = session.now();
    let find = session.read(|db| crate::confirm::find(db, id, now, &Kind::ALL));
    let found = Some(find.await?).filter(|found| found.check_matches(params.get("check")));
    let found = found.ok_or_else(Error::not_found)?;
    Ok(ok(&Answer {
        result: Outcome::Success,
        confirmation: OpenConfirmation {
            id: found.uuid,
            check: found.check,
        },
    }))
}
