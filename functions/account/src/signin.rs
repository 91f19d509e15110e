//! `POST /signin`, `POST /signinlink/{id}` and `POST /signinlink/{id}/{check}`

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::confirmation::Kind;
use bespoke_core::entity::user::User;
use bespoke_database::{confirmations, users};
use bespoke_web::{Body, Error, Id, Params, Public, Result, Session, Verified, truthy};
use serde_json::Value;
use utoipa::ToSchema;

use crate::SignedIn;

/// Who signs in.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct SignIn {
    /// User name, e-mail address or id, in any letter case.
    #[schema(example = "jane@example.com")]
    username: String,
    /// Password.
    #[schema(example = "correct horse")]
    password: String,
}

/// Sign in
///
/// The answer is the same for an account that does not exist and for a wrong password.
// One password hash is run on every path, so that the time of the answer does not tell either (defect D58).
#[utoipa::path(post, path = "/signin", tag = "Accounts", operation_id = "signIn", request_body = SignIn,
    responses(
        (status = 200, description = "The account, and a token.", body = SignedIn),
        (status = 400, description = "`postBodyMissing`, `usernameMissing`, `passwordMissing`: the field is missing."),
        (status = 401, description = "`signInFailed`: no such account, or another password."),
        (status = 403, description = "`statusLacking`: the account is not active. `accountBlocked`: an administrator has blocked it."),
    ))]
pub(crate) async fn password(_: Public, session: Session, body: Body) -> Result<Response> {
    let body = body.required()?;
    let username = body
        .get("username")
        .filter(|name| truthy(name))
        .ok_or(Error::bad_request("usernameMissing"))?;
    let password = body
        .get("password")
        .filter(|name| truthy(name))
        .ok_or(Error::bad_request("passwordMissing"))?;
    let lookup = match username {
        Value::String(name) => name.clone(),
        Value::Number(id) => id.to_string(),
        _ => String::new(),
    };
    let user = session.read(|db| Ok(users::by_lookup(db, &lookup)?)).await?;
    let verified = verify(&session, user.as_ref(), password).await?;
    let (Some(user), Some(verified)) = (user, verified) else {
        return Err(Error::unauthorized("signInFailed"));
    };
    crate::may_sign_in(&user)?;
    if let Some(rehashed) = verified.rehashed {
        let (id, old) = (user.standing.id, user.password.clone());
        let rehash = session.write(move |db| Ok(users::rehash_password(db, id, &old, &rehashed)?));
        rehash.await?;
    }
    Ok(crate::signed_in(&session, user))
}

async fn verify(session: &Session, user: Option<&User>, password: &Value) -> Result<Option<Verified>> {
    // A password that is no text matches none, and costs what any other does.
    let stored = user.filter(|_| password.is_string()).map(|user| user.password.clone());
    session
        .verify_password(password.as_str().unwrap_or_default().to_owned(), stored)
        .await
}

/// The check of a link.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct LinkCheck {
    /// The check of the link in the mail.
    check: String,
}

/// Sign in by the link of a mail
///
/// Works once, within an hour.
#[utoipa::path(post, path = "/signinlink/{id}", tag = "Accounts", operation_id = "signInByLink", request_body = LinkCheck,
    params(("id" = Uuid, Path, description = "The id in the link of the mail.")),
    responses(
        (status = 200, description = "The account, and a token.", body = SignedIn),
        (status = 403, description = "`statusLacking`: the account is not active. `accountBlocked`: an administrator has blocked it."),
        (status = 404, description = "The link is no longer open, or its check is wrong."),
    ))]
pub(crate) async fn link(_: Public, session: Session, id: Id, body: Body) -> Result<Response> {
    let check = body.0.get("check").and_then(Value::as_str).unwrap_or_default();
    by_link(session, id, check.to_owned()).await
}

/// Sign in by the link of a mail, its check in the path
///
/// As clients of the first generation do. Works once, within an hour.
#[utoipa::path(post, path = "/signinlink/{id}/{check}", tag = "Accounts", operation_id = "signInByWholeLink",
    params(
        ("id" = Uuid, Path, description = "The id in the link of the mail."),
        ("check" = String, Path, description = "The check of the link in the mail."),
    ),
    responses(
        (status = 200, description = "The account, and a token.", body = SignedIn),
        (status = 403, description = "`statusLacking`: the account is not active. `accountBlocked`: an administrator has blocked it."),
        (status = 404, description = "The link is no longer open, or its check is wrong."),
    ))]
pub(crate) async fn link_with_check(_: Public, session: Session, id: Id, params: Params) -> Result<Response> {
    by_link(session, id, params.get("check").to_owned()).await
}

async fn by_link(session: Session, id: Id, check: String) -> Result<Response> {
    let now = session.now();
    let user_id = session
        .write(move |db| {
            let confirmation = crate::confirm::find(db, id, now, &[Kind::SignupActive])?;
            if !confirmation.check_matches(&check) {
                return Err(Error::not_found());
            }
            let user = users::by_id(db, EntityId::Integer(confirmation.user_id))?.ok_or_else(Error::not_found)?;
            crate::may_sign_in(&user)?;
            confirmations::delete(db, confirmation.uuid)?;
            Ok(user.standing.id)
        })
        .await?;
    Ok(crate::signed_in(&session, crate::load(&session, user_id).await?))
}
