//! `POST /available/username/{auth}`

use axum::response::Response;
use bespoke_core::validate::clean_username;
use bespoke_database::users;
use bespoke_web::level::READ_SOME;
use bespoke_web::{Body, Caller, Error, Outcome, Result, Session, ok};
use serde::Serialize;
use serde_json::Value;

/// No account has this id: nobody is excepted from the question.
const NOBODY: i64 = 0;

#[derive(Serialize)]
struct Taken {
    result: Outcome,
    username: String,
    available: bool,
}

/// Whether a user name is taken: 200 when it is (or cannot be one), 404 when it is free. One's own is taken.
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
