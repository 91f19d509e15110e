//! `POST /account/mfa/{auth}`: [`change`] sets up, confirms or removes the second factor of the caller's account.

use axum::response::Response;
use bespoke_core::entity::user::User;
use bespoke_core::permission::Actor;
use bespoke_core::{EntityId, SCRATCH_CODES, ScratchCode, TotpSecret};
use bespoke_database::{Db, second_factors, users};
use bespoke_web::level::USER;
use bespoke_web::{Body, Caller, ClientIp, Error, JsonObject, Outcome, Result, Session, ok, truthy, view};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::changes::WRONG_PASSWORD;
use crate::qr_code;
use crate::second_factor::SubmittedCode;
use crate::signin::SignInDecision;

const ACTIVE: Error = Error::bad_request("mfaActive");
const WRONG_CODE: Error = Error::forbidden("mfaTokenInvalid");

/// Body of `POST /account/mfa/{auth}`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct MfaChange {
    /// `true` alone creates a new secret. `true` with `secret` and `token` confirms it. `false` with `password` and `token` removes it.
    mfa: bool,
    /// The secret from the setup.
    secret: Option<String>,
    /// A code from the authenticator app. A scratch code works too when the second factor is removed.
    token: Option<String>,
    /// Password.
    password: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MfaChanged)]
struct MfaResponse {
    result: Outcome,
    /// Present after the second factor was confirmed or removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    account: Option<view::Account>,
    /// Present after the second factor was confirmed. Each scratch code replaces the app's code for one sign-in. They are shown only once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_items = 8, max_items = 8)]
    scratch_codes: Option<Vec<String>>,
    /// Present after a secret was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    mfa: Option<SetUp>,
}

/// Data for an authenticator app.
#[derive(Serialize, ToSchema)]
#[schema(as = MfaSetUp)]
struct SetUp {
    /// The secret, in Base32.
    secret: String,
    /// `otpauth:` URL, for an app on the same device.
    otpauth: String,
    /// The URL as a QR code, in SVG.
    qrcode: String,
}

/// Set up, confirm or remove the second factor
///
/// Codes follow RFC 6238 with SHA-1, 6 digits and 30 seconds. A code can sign in only once; a used code can still confirm or remove
/// the second factor.
#[utoipa::path(post, path = "/account/mfa/{auth}", tag = "Accounts", operation_id = "changeSecondFactor", request_body = MfaChange,
    responses(
        (status = 200, description = "The new secret, or the updated account.", body = MfaResponse),
        (status = 400, description = "`invalidMfaSetting`: `mfa` is neither true nor false. `mfaActive`: the account has a second factor \
            already. `mfaTokenMissing`, `passwordMissing`: the field is missing."),
        (status = 401, description = "`authenticationFailed`: the password or the code is wrong, or there were too many wrong ones."),
        (status = 403, description = "`mfaTokenInvalid`: the secret or the code does not match the setup. `restrictedKey`: the \
            caller's key is bound to addresses."),
        (status = 404, description = "The account was removed during the call."),
    ))]
pub(crate) async fn change(caller: Caller<USER>, session: Session, client: ClientIp, body: Body) -> Result<Response> {
    caller.actor.may_change_credentials()?;
    let body = body.0;
    let truthy_field = |name: &str| body.get(name).filter(|value| truthy(value));
    let submitted = SubmittedCode::of(&body, session.origin(client));
    match (body.get("mfa"), truthy_field("secret")) {
        (Some(Value::Bool(true)), Some(secret)) if submitted.code.is_some() => {
            confirm(caller, session, secret, submitted).await
        }
        (Some(Value::Bool(true)), _) => set_up(caller, session).await,
        (Some(Value::Bool(false)), _) => remove(caller, session, &body, submitted).await,
        _ => Err(Error::bad_request("invalidMfaSetting")),
    }
}

async fn set_up(caller: Caller<USER>, session: Session) -> Result<Response> {
    let secret = TotpSecret::generate(session.random());
    let stored = secret.clone();
    let store = caller.protect(&session, move |db, actor| {
        let user = without_second_factor(db, actor)?;
        Ok(second_factors::insert(db, &user.account_status, &stored)?)
    });
    store.await?;
    let username = crate::load(&session, caller.actor.user_id).await?.username;
    let otpauth = secret.uri(&session.config().mail.service, &username);
    Ok(ok(&MfaResponse {
        result: Outcome::Success,
        account: None,
        scratch_codes: None,
        mfa: Some(SetUp {
            secret: secret.expose().to_owned(),
            qrcode: qr_code::svg(&otpauth)?,
            otpauth,
        }),
    }))
}

async fn confirm(caller: Caller<USER>, session: Session, secret: &Value, submitted: SubmittedCode) -> Result<Response> {
    let secret = secret.as_str().unwrap_or_default().to_owned();
    let codes: Vec<_> = (0..SCRATCH_CODES)
        .map(|_| ScratchCode::generate(session.random()))
        .collect();
    let shown = codes.iter().map(ScratchCode::shown).collect();
    let store = caller.protect(&session, move |db, actor| {
        let mut user = without_second_factor(db, actor)?;
        let factor = second_factors::of(db, &user.account_status)?.filter(|factor| factor.secret.matches(&secret));
        let code = submitted.code.as_deref().unwrap_or_default();
        factor
            .and_then(|factor| factor.secret.step_of(code, submitted.origin.now))
            .ok_or(WRONG_CODE)?;
        second_factors::insert_scratch_codes(db, &user.account_status, &codes)?;
        set_enabled(db, &mut user, true, &submitted)
    });
    store.await?;
    respond(&caller, &session, Some(shown)).await
}

async fn remove(
    caller: Caller<USER>,
    session: Session,
    body: &JsonObject,
    submitted: SubmittedCode,
) -> Result<Response> {
    submitted.code.as_ref().ok_or(Error::bad_request("mfaTokenMissing"))?;
    let password = body.get("password").filter(|password| truthy(password));
    let password = password.ok_or(Error::bad_request("passwordMissing"))?;
    let user_id = caller.actor.user_id;
    let user = crate::load(&session, user_id).await?;
    // The reserved attempt also limits guesses at the password.
    let code = submitted.reserve(&session, &user).await?;
    if !code.is_reserved() {
        return Err(WRONG_PASSWORD);
    }
    let stored = user.password;
    let typed_password = password.as_str().unwrap_or_default().to_owned();
    match session.verify_password(typed_password, Some(stored.clone())).await {
        Ok(Some(_)) => {}
        Ok(None) => {
            code.release_or_keep(&session, Ok(SignInDecision::Refused)).await?;
            return Err(WRONG_PASSWORD);
        }
        Err(error) => {
            code.release_or_keep(&session, Err(&error)).await?;
            return Err(error);
        }
    }
    let attempt = code.clone();
    let store = caller.protect(&session, move |db, actor| {
        let mut user = load(db, actor)?;
        if user.password != stored || !attempt.check_and_consume(db, &user.account_status)? {
            return Ok(SignInDecision::Refused);
        }
        second_factors::delete(db, user.account_status.id)?;
        set_enabled(db, &mut user, false, &attempt.submitted)?;
        Ok(SignInDecision::Admitted)
    });
    let decision = store.await;
    code.release_or_keep(&session, decision.as_ref().copied()).await?;
    if decision? != SignInDecision::Admitted {
        return Err(WRONG_PASSWORD);
    }
    respond(&caller, &session, None).await
}

fn load(db: &Db<'_>, actor: Actor) -> Result<User> {
    users::by_id(db, EntityId::Integer(actor.user_id))?.ok_or_else(Error::not_found)
}

fn without_second_factor(db: &Db<'_>, actor: Actor) -> Result<User> {
    let user = load(db, actor)?;
    if user.mfa_enabled { Err(ACTIVE) } else { Ok(user) }
}

fn set_enabled(db: &Db<'_>, user: &mut User, enabled: bool, submitted: &SubmittedCode) -> Result<()> {
    user.mfa_enabled = enabled;
    user.updated_at = submitted.origin.now;
    Ok(users::update(db, user)?)
}

async fn respond(caller: &Caller<USER>, session: &Session, scratch_codes: Option<Vec<String>>) -> Result<Response> {
    let account = crate::load(session, caller.actor.user_id).await?;
    Ok(ok(&MfaResponse {
        result: Outcome::Success,
        account: Some(account.into()),
        scratch_codes,
        mfa: None,
    }))
}
