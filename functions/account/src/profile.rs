//! `GET /users/{id}`: [`profile`] returns the public profile of an account.

use axum::response::Response;
use bespoke_core::Role;
use bespoke_core::entity::user::User;
use bespoke_database::users;
use bespoke_web::{Error, Outcome, Params, Public, Result, Session, ok};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The public profile of an account.
#[derive(Serialize, ToSchema)]
pub(crate) struct Profile {
    id: i64,
    /// Description that the owner has written, in Markdown.
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
#[schema(as = ProfileAnswer)]
pub(crate) struct ProfileResponse {
    result: Outcome,
    profile: Profile,
}

/// Read a user's profile
///
/// An account that is not active or has not consented has no profile.
#[utoipa::path(get, path = "/users/{id}", tag = "Users", operation_id = "readProfile",
    params(("id" = String, Path, description = "Integer id, UUID or user name.")),
    responses(
        (status = 200, description = "The profile.", body = ProfileResponse),
        (status = 404, description = "There is no such account, or it has no profile."),
    ))]
pub(crate) async fn profile(_: Public, session: Session, params: Params) -> Result<Response> {
    let user = find(&session, &params).await?.ok_or_else(Error::not_found)?;
    Ok(ok(&ProfileResponse {
        result: Outcome::Success,
        profile: user.into(),
    }))
}

/// Returns the account that the path names, if its profile is public. Addresses are not accepted, because the response would reveal
/// whether an address has an account.
pub(crate) async fn find(session: &Session, params: &Params) -> Result<Option<User>> {
    let text = params.get("id");
    if text.contains('@') {
        return Ok(None);
    }
    let user = session.read(|db| Ok(users::by_lookup(db, text)?)).await?;
    Ok(user.filter(|user| user.account_status.usable().is_ok()))
}
