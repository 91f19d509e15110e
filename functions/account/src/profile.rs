//! `GET /users/{id}`: [`profile`] returns the public profile of an account.

use axum::response::Response;
use bespoke_core::Role;
use bespoke_database::profiles;
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

impl From<profiles::Profile> for Profile {
    fn from(profile: profiles::Profile) -> Self {
        let profiles::Profile { name, patron, bio } = profile;
        Self {
            id: name.account_status.id,
            bio,
            ihash: name.ihash,
            patron,
            role: name.account_status.role,
            username: name.username,
            uuid: name.account_status.uuid,
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
    let profile = find(&session, &params).await?.ok_or_else(Error::not_found)?;
    Ok(ok(&ProfileResponse {
        result: Outcome::Success,
        profile: profile.into(),
    }))
}

/// Returns the account that the path names, if its profile is public. Addresses are not accepted, because the response would reveal
/// whether an address has an account.
pub(crate) async fn find(session: &Session, params: &Params) -> Result<Option<profiles::Profile>> {
    let text = params.get("id");
    if text.contains('@') {
        return Ok(None);
    }
    let found = session.read(|db| Ok(profiles::by_id_or_name(db, text)?)).await?;
    Ok(found.filter(|profile| profile.name.account_status.usable().is_ok()))
}
