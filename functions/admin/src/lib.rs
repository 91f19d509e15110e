//! The function `admin`: administration of accounts, mails and usage. Each action writes an audit entry in the same commit.

mod audit;
mod impersonate;
mod outbox;
mod search;
mod subscribers;
mod update;
mod usage;
mod user;

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::user::User;
use bespoke_database::{Db, users};
use bespoke_web::{Error, Id, Outcome, Result, Routes, Session, ok, route, view};
use serde::Serialize;
use utoipa::ToSchema;

/// The routes of the `admin` function, one of the deployable groups of routes.
pub fn router() -> Routes {
    Routes::new("admin")
        .with(route!(search::users))
        .with(route!(user::read).writes())
        .with(route!(update::update))
        .with(route!(user::end_keys))
        .with(route!(impersonate::impersonate).writes())
        .with(route!(subscribers::list).writes())
        .with(route!(usage::usage).writes())
        .with(route!(audit::list))
        .with(route!(outbox::list).writes())
        .with(route!(outbox::retry))
}

#[derive(Serialize, ToSchema)]
#[schema(as = UserAnswer)]
struct UserResponse {
    result: Outcome,
    user: view::Account,
    /// Calls per day with each API key of the account. `null`: the default limit.
    #[schema(required)]
    quota: Option<u32>,
    /// Names of the fields that the request contained and the server ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ignored: Option<Vec<String>>,
}

/// Returns the account with this id.
///
/// # Errors
/// 404 if there is no such account.
fn find(db: &Db<'_>, Id(id): Id) -> Result<User> {
    users::by_id(db, id)?.ok_or_else(Error::not_found)
}

/// Responds with the current account.
async fn respond(session: &Session, id: i64, ignored: Option<Vec<String>>) -> Result<Response> {
    let user = session.read(|db| find(db, Id(EntityId::Integer(id)))).await?;
    Ok(ok(&UserResponse {
        result: Outcome::Success,
        quota: user.quota,
        user: user.into(),
        ignored,
    }))
}
