//! `POST /find/users`: [`find`] searches the profiles of users by user name or id.

use std::collections::BTreeMap;

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::validate::{MAX_USERNAME_CHARS, fold_username};
use bespoke_database::Db;
use bespoke_database::profiles::{self, ProfileName};
use bespoke_web::level::READ_SOME;
use bespoke_web::{Body, Caller, Outcome, Result, Session, ok};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The maximum number of profiles that a search returns.
const MAX_PROFILES: usize = 10;
/// The maximum number of accounts that a search reads, because some of them have no profile.
const MAX_READ: u32 = 50;

/// Body of `POST /find/users`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct FindUsersRequest {
    /// The beginning of a user name in any letter case, a complete integer id, or a complete UUID.
    #[schema(example = "jane")]
    r#match: String,
}

/// The name and image of a user.
#[derive(Serialize, ToSchema)]
struct FoundProfile {
    username: String,
    /// Name of the account's image.
    avatar: String,
}

#[derive(Serialize, ToSchema)]
struct FoundProfiles {
    result: Outcome,
    /// The profiles by integer id.
    profiles: BTreeMap<String, FoundProfile>,
}

/// Find the profiles of users
///
/// At most ten. An account that is not active or has not consented has no profile. An empty text finds no profiles.
#[utoipa::path(post, path = "/find/users", tag = "Users", operation_id = "findProfiles",
    request_body = FindUsersRequest,
    responses((status = 200, description = "The profiles.", body = FoundProfiles)))]
pub(crate) async fn find(_: Caller<READ_SOME>, session: Session, body: Body) -> Result<Response> {
    let text = match body.0.get("match") {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(id)) => id.to_string(),
        _ => String::new(),
    };
    let found = session.read(|db| matching(db, &text)).await?;
    let profiles = found.into_iter().map(|user| {
        let profile = FoundProfile {
            username: user.username,
            avatar: user.ihash,
        };
        (user.account_status.id.to_string(), profile)
    });
    Ok(ok(&FoundProfiles {
        result: Outcome::Success,
        profiles: profiles.collect(),
    }))
}

fn matching(db: &Db<'_>, text: &str) -> Result<Vec<ProfileName>> {
    if text.is_empty() || text.chars().count() > MAX_USERNAME_CHARS {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    if let Some(id) = EntityId::parse(text) {
        found.extend(profiles::name_by_id(db, id)?);
    }
    found.extend(profiles::names_by_prefix(db, &fold_username(text), MAX_READ)?);
    found.retain(|user| user.account_status.usable().is_ok());
    found.truncate(MAX_PROFILES);
    Ok(found)
}
