//! Accounts: sign-up, confirmation, sign-in, the account itself (contract-2023 section 3.2).

mod account;
mod available;
mod confirm;
mod consent;
mod signin;
mod signup;
mod update;
mod whoami;

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::user::{Status, User};
use bespoke_core::validate::email_domain;
use bespoke_core::{Role, entity::user::Consent};
use bespoke_database::users;
use bespoke_web::{Error, JsonObject, Outcome, Result, Routes, Session, ok, truthy, view};
use serde::Serialize;

/// The routes of this function.
pub fn router() -> Routes {
    Routes::new("account")
        .post("/signup", signup::signup)
        .post("/confirm/signup/{id}", confirm::signup)
        .post("/signin", signin::password)
        .post("/signinlink/{id}", signin::link)
        .post("/signinlink/{id}/{check}", signin::link)
        .get("/whoami/jwt", whoami::whoami)
        .get("/account/{auth}", account::read)
        .patch("/account/{auth}", update::update)
        .patch("/consent/jwt", consent::consent)
        .post("/available/username/{auth}", available::username)
}

#[derive(Serialize)]
struct AccountAnswer {
    result: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    account: view::Account,
    /// Names of the fields that were sent and not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<Vec<String>>,
}

/// The account of that integer id, or 404.
async fn load(session: &Session, id: i64) -> Result<User> {
    session
        .read(|db| users::by_id(db, EntityId::Integer(id))?.ok_or_else(Error::not_found))
        .await
}

/// Answers with the account and a fresh token for it.
fn signed_in(session: &Session, user: User) -> Response {
    let standing = &user.standing;
    let (role, status) = (standing.role.name(), standing.status as i64);
    let token = session
        .tokens()
        .sign(standing.id, &user.username, role, status, session.now());
    ok(&AccountAnswer {
        result: Outcome::Success,
        token: Some(token),
        account: user.into(),
        ignored: None,
    })
}

/// Whether somebody may sign in to the account (contract-2023 section 2.5). Consent is not asked for: who lacks it
/// signs in to give it.
fn may_sign_in(user: &User) -> Result<()> {
    if user.standing.status != Status::Active {
        Err(Error::forbidden("statusLacking"))
    } else if user.standing.role == Role::Blocked {
        Err(Error::forbidden("accountBlocked"))
    } else {
        Ok(())
    }
}

/// Whether this request is one of a test: test mode is on, the request says so, and the address is in its domain.
fn is_test(session: &Session, body: &JsonObject, address: &str) -> bool {
    let domain = session.config().test_domain.as_deref();
    domain.is_some_and(|domain| email_domain(address) == domain) && body.get("test").is_some_and(truthy)
}

/// A level of consent as a request gives it: a whole number that is one.
fn consent_of(value: Option<&serde_json::Value>) -> Option<Consent> {
    let number = value?.as_f64()?;
    // Only 0.0 to 3.0 pass the match behind the cast.
    (number.fract() == 0.0)
        .then_some(number as i64)
        .and_then(Consent::from_number)
}
