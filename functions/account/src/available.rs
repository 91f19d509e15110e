//! `POST /available/username/{auth}`: [`username`] tells whether a user name is taken.

use axum::response::Response;
use bespoke_core::validate::new_username;
use bespoke_database::users;
use bespoke_web::level::READ_SOME;
use bespoke_web::{Body, Caller, Error, Outcome, Result, Session, ok};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// An id that no account has, so that the check excludes no account.
const NO_ACCOUNT: i64 = 0;

#[derive(Serialize, ToSchema)]
#[schema(as = UserNameTaken)]
pub(crate) struct Taken {
    result: Outcome,
    /// The name, as the request contained it.
    username: String,
    /// Always false.
    available: bool,
}

/// The user name to check.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct UserName {
    /// 2 to 64 characters.
    #[schema(example = "Jane")]
    username: String,
}

/// Check whether a user name is taken
///
/// 404 means that the name is free. The caller's own name counts as taken.
#[utoipa::path(post, path = "/available/username/{auth}", tag = "Accounts", operation_id = "isUserNameTaken", request_body = UserName,
    responses(
        (status = 200, description = "The name is taken, looks like the name of another account, or is reserved, or is not a valid user name.", body = Taken),
        (status = 400, description = "`usernameMissing`: the field is missing or is not a string."),
        (status = 404, description = "The name is free."),
    ))]
pub(crate) async fn username(caller: Caller<READ_SOME>, session: Session, body: Body) -> Result<Response> {
    let username = body
        .0
        .get("username")
        .and_then(Value::as_str)
        .ok_or(Error::bad_request("usernameMissing"))?;
    let free = match new_username(username, caller.actor.user_id) {
        None => false,
        Some(cleaned) => {
            session
                .read(|db| Ok(users::username_available(db, &cleaned, NO_ACCOUNT)?))
                .await?
        }
    };
    if free {
        return Err(Error::not_found());
    }
    Ok(ok(&Taken {
        result: Outcome::Success,
        username: username.to_owned(),
        available: false,
    }))
}
