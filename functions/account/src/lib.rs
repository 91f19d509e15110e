//! Accounts: sign-up, confirmation, sign-in, the account itself (contract-2023 section 3.2).

mod account;
mod available;
mod card;
mod changes;
mod confirm;
mod consent;
mod data;
mod email;
mod export;
mod import;
mod lockout;
mod mfa;
mod oauth;
mod profile;
mod qr_code;
mod remove;
mod restrict;
mod second_factor;
mod signin;
mod signin_link;
mod signup;
mod update;
mod usage;
mod whoami;

pub use export::export_file;

use axum::response::Response;
use bespoke_core::entity::user::{Consent, Status, User};
use bespoke_core::{EntityId, Grant, Role, Scope};
use bespoke_database::users;
use bespoke_web::openapi::Failure;
use bespoke_web::{Error, JsonObject, Outcome, Result, Routes, Session, ok, route, view};
use serde::Serialize;
use utoipa::ToSchema;

/// The routes of this function.
pub fn router() -> Routes {
    Routes::new("account")
        .with(route!(signup::signup))
        .with(route!(confirm::signup))
        .with(route!(signin::password))
        .with(route!(signin_link::send))
        .with(route!(signin_link::link))
        .with(route!(signin_link::link_with_check))
        .with(route!(whoami::whoami))
        .with(route!(account::read).scopes(&[Scope::AccountRead]))
        .with(route!(update::update))
        .with(route!(consent::consent))
        .with(route!(mfa::change))
        .with(route!(available::username))
        .with(route!(usage::usage).scopes(&[Scope::AccountRead]))
        .with(route!(export::export))
        .with(route!(export::export_by_get).writes())
        .with(route!(export::read))
        .with(route!(import::import))
        .with(route!(restrict::restrict))
        .with(route!(restrict::restrict_by_get).writes())
        .with(route!(remove::remove))
        .with(route!(profile::profile))
        .with(route!(card::card))
        .with(route!(data::data))
        .with(route!(oauth::init))
        .with(route!(oauth::signin))
}

#[derive(Serialize, ToSchema)]
struct AccountAnswer {
    result: Outcome,
    account: view::Account,
}

#[derive(Serialize, ToSchema)]
struct SignedIn {
    result: Outcome,
    /// Goes into `Authorization: Bearer` of calls to paths that end in `/jwt`.
    token: String,
    account: view::Account,
}

/// The answer to what leaves nothing to tell; clients want a body.
#[derive(Serialize, ToSchema)]
struct Emptied {
    result: Outcome,
    /// Always empty.
    #[schema(value_type = HashMap<String, Value>)]
    data: JsonObject,
}

fn emptied() -> Response {
    ok(&Emptied {
        result: Outcome::Success,
        data: JsonObject::new(),
    })
}

/// An error whose code stands one object deeper than elsewhere: its clients read it so.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer")]
struct NestedError {
    result: Failure,
    #[schema(inline)]
    error: NestedCode,
}

/// An error whose code stands where it always does, or one object deeper.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer")]
struct EitherError {
    result: Failure,
    /// The code of the error, or an object with that code in `error`.
    #[schema(value_type = Value)]
    error: serde_json::Value,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer")]
struct NestedCode {
    /// The code of the error.
    #[schema(example = "consentLacking")]
    error: String,
}

/// The account of that integer id, or 404.
async fn load(session: &Session, id: i64) -> Result<User> {
    session
        .read(|db| users::by_id(db, EntityId::Integer(id))?.ok_or_else(Error::not_found))
        .await
}

/// The response to a successful sign-in: the account, and a new token for it.
fn signed_in(session: &Session, user: User) -> Response {
    let token = session.tokens().issue((&user).into(), Grant::SignIn, session.now());
    with_token(token, user)
}

fn with_token(token: String, user: User) -> Response {
    ok(&SignedIn {
        result: Outcome::Success,
        token,
        account: user.into(),
    })
}

/// Whether somebody may sign in to the account (contract-2023 section 2.5). Consent is not asked for: who lacks it
/// signs in to give it.
fn may_sign_in(user: &User) -> Result<()> {
    if user.account_status.status != Status::Active {
        Err(Error::forbidden("statusLacking"))
    } else if user.account_status.role == Role::Blocked {
        Err(Error::forbidden("accountBlocked"))
    } else {
        Ok(())
    }
}

/// A level of consent as a request gives it: a whole number that is one.
fn consent_of(value: Option<&serde_json::Value>) -> Option<Consent> {
    let number = value?.as_f64()?;
    // Only 0.0 to 3.0 pass the match behind the cast.
    (number.fract() == 0.0)
        .then_some(number as i64)
        .and_then(Consent::from_number)
}
