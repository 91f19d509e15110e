//! `POST /available/username/{auth}`

use axum::response::Response;
use bespoke_core::validate::clean_username;
use bespoke_database::users;
use bespoke_web::level::READ_SOME;
use bespoke_web::{Body, Caller, Error, Outcome, Result, Session, ok};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// No account has this id: nobody is excepted from the question.
const NOBODY: i64 = 0;

#[derive(Serialize, ToSchema)]
#[schema(as = UserNameTaken)]
pub(crate) struct Taken {
    result: Outcome,
    /// As it was sent.
    username: String,
    /// Always false.
    available: bool,
}

/// A user name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct UserName {
    /// 2 to 64 characters.
    #[schema(example = "Jane")]
    username: String,
}

/// Whether a user name is taken
///
/// Mind that 404 is the good news. One's own name is taken.
#[utoipa::path(post, path = "/available/username/{auth}", tag = "Accounts", operation_id = "isUserNameTaken", request_body = UserName,
    responses(
        (status = 200, description = "It is taken, or cannot be a user name.", body = Taken),
        (status = 400, description = "`usernameMissing`: the field is missing, or no text."),
        (status = 404, description = "It is free."),
    ))]
pub(crate) async fn username(_: Caller<READ_SOME>, session: Session, body: Body) -> Result<Response> {
    let username = body
        .0
        .get("username")
        .and_then(Value::as_str)
        .ok_or(Error::bad_request("usernameMissing"))?;
    let free = match clean_username(username) {
        None => false,
        Some(cleaned) => {
            !session
                .read(|db| Ok(users::username_taken(db, &cleaned, NOBODY)?))
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
