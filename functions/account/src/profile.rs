//! `GET /users/{id}`: what everybody may know of somebody.

use axum::response::Response;
use bespoke_core::Role;
use bespoke_core::entity::user::User;
use bespoke_database::users;
use bespoke_web::{Error, Outcome, Params, Public, Result, Session, ok};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What everybody may know of somebody.
#[derive(Serialize, ToSchema)]
pub(crate) struct Profile {
    id: i64,
    /// About oneself, as Markdown.
    bio: String,
    /// Name of the account's image.
    ihash: String,
    /// Tier of patronage.
    patron: i64,
    #[schema(value_type = String, example = "user")]
    role: Role,
    username: String,
    uuid: Uuid,
}

impl From<User> for Profile {
    fn from(user: User) -> Self {
        Self {
            id: user.account_status.id,
            bio: user.bio,
            ihash: user.ihash,
            patron: user.patron,
            role: user.account_status.role,
            username: user.username,
            uuid: user.account_status.uuid,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ProfileAnswer {
    result: Outcome,
    profile: Profile,
}

/// See somebody's profile
///
/// An account that cannot be used shows none.
#[utoipa::path(get, path = "/users/{id}", tag = "Users", operation_id = "readProfile",
    params(("id" = String, Path, description = "Integer id, UUID or user name.")),
    responses(
        (status = 200, description = "The profile.", body = ProfileAnswer),
        (status = 404, description = "There is nobody to show."),
    ))]
pub(crate) async fn profile(_: Public, session: Session, params: Params) -> Result<Response> {
    let user = find(&session, &params).await?.ok_or_else(Error::not_found)?;
    Ok(ok(&ProfileAnswer {
        result: Outcome::Success,
        profile: user.into(),
    }))
}

/// Whom the path means, when everybody may know of him. Not by address, which would tell who has an account (defect D56).
pub(crate) async fn find(session: &Session, params: &Params) -> Result<Option<User>> {
    let text = params.get("id");
    if text.contains('@') {
        return Ok(None);
    }
    let user = session.read(|db| Ok(users::by_lookup(db, text)?)).await?;
    Ok(user.filter(|user| user.account_status.usable().is_ok()))
}
