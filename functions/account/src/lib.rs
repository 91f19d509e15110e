//! The function `account`: sign-up, confirmation, sign-in, second factor, profile, export and import. [`router`] lists its routes.

mod account;
mod available;
mod card;
mod changes;
mod confirm;
mod consent;
mod data;
mod email;
mod export;
mod find;
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

/// The routes of the `account` function, one of the deployable groups of routes.
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
        .with(route!(find::find).reads().by_token())
        .with(route!(data::data))
        .with(route!(oauth::init))
        .with(route!(oauth::signin))
}

#[derive(Serialize, ToSchema)]
#[schema(as = AccountAnswer)]
struct AccountResponse {
    result: Outcome,
    account: view::Account,
}

#[derive(Serialize, ToSchema)]
struct SignedIn {
    result: Outcome,
    /// Bearer token for the header `Authorization` of calls to paths that end in `/jwt`.
    token: String,
    account: view::Account,
}

/// A response without data. Clients expect a JSON body.
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

/// An error whose code is nested one object deeper than usual, as clients of these routes expect.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a response")]
struct NestedError {
    result: Failure,
    #[schema(inline)]
    error: NestedCode,
}

/// An error whose code is in the usual place, or nested one object deeper.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a response")]
struct EitherError {
    result: Failure,
    /// The code of the error, or an object with that code in `error`.
    #[schema(value_type = Value)]
    error: serde_json::Value,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a response")]
struct NestedCode {
    /// The code of the error.
    #[schema(example = "consentLacking")]
    error: String,
}

/// Returns the account with this integer id.
///
/// # Errors
/// 404 if there is no such account.
async fn load(session: &Session, id: i64) -> Result<User> {
    session
        .read(|db| users::by_id(db, EntityId::Integer(id))?.ok_or_else(Error::not_found))
        .await
}

/// Creates the response to a successful sign-in: the account, and a new token.
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

/// Checks that the status of the account allows a sign-in. Consent is not required, because an account without consent signs in to
/// give it.
fn may_sign_in(user: &User) -> Result<()> {
    if user.account_status.status != Status::Active {
        Err(Error::forbidden("statusLacking"))
    } else if user.account_status.role == Role::Blocked {
        Err(Error::forbidden("accountBlocked"))
    } else {
        Ok(())
    }
}

/// Parses a level of consent: a whole number in the valid range.
fn consent_of(value: Option<&serde_json::Value>) -> Option<Consent> {
    let number = value?.as_f64()?;
    // The cast saturates, and neither end of the range of `i64` is a level.
    (number.fract() == 0.0)
        .then_some(number as i64)
        .and_then(Consent::from_number)
}
