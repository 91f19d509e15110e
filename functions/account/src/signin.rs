//! `POST /signin`

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::user::User;
use bespoke_core::validate::clean_email;
use bespoke_database::users;
use bespoke_web::{Body, ClientIp, Error, JsonObject, Public, Result, Session, Verified, truthy};
use serde_json::Value;
use utoipa::ToSchema;

use crate::SignedIn;
use crate::lockout::{self, Attempt, Lock};
use crate::second_factor::Typed;

/// Whatever is wrong with name, password or code.
pub(crate) const FAILED: Error = Error::unauthorized("signInFailed");

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
    /// Code of the authenticator app, or a scratch code, where the account asks for one.
    token: Option<String>,
}

/// Sign in
///
/// The answer is the same for an account that does not exist and for a wrong password. After many failures even the right
/// password fails for a while; a link by mail still signs in.
// One password hash is run on every path, so that the time of the answer does not tell either (defect D58).
#[utoipa::path(post, path = "/signin", tag = "Accounts", operation_id = "signIn", request_body = SignIn,
    responses(
        (status = 200, description = "The account, and a token.", body = SignedIn),
        (status = 400, description = "`postBodyMissing`, `usernameMissing`, `passwordMissing`: the field is missing."),
        (status = 401, description = "`signInFailed`: no such account, or another password or code, or too many of them."),
        (status = 403, description = "`mfaTokenRequired`: the account asks for a code too. `statusLacking`: the account is not \
            active. `accountBlocked`: an administrator has blocked it."),
    ))]
pub(crate) async fn password(_: Public, session: Session, client: ClientIp, body: Body) -> Result<Response> {
    let body = body.required()?;
    let name = name_of(&body)?;
    let password = body
        .get("password")
        .filter(|password| truthy(password))
        .ok_or(Error::bad_request("passwordMissing"))?;
    let (client, now) = (client.customer(), session.now());
    let attempt = Attempt { name, client, now };
    let look = session.read(|db| {
        let user = users::by_lookup(db, &attempt.name)?;
        let lock = attempt.lock(db, user.as_ref())?;
        Ok((user, lock))
    });
    let (user, lock) = look.await?;
    let verified = verify(&session, user.as_ref(), password).await?;
    if lock == Lock::Name {
        return Err(lockout::too_many());
    }
    let user_id = user.as_ref().map(|user| user.standing.id);
    let (Some(user), Some(verified), Lock::Open) = (user, verified, lock) else {
        attempt.failed(&session, user_id).await?;
        return Err(FAILED);
    };
    if user.mfa_enabled {
        ask_second_factor(&session, &user, Typed::of(&body, client, now)).await?;
    }
    crate::may_sign_in(&user)?;
    if let Some(rehashed) = verified.rehashed {
        let (id, old) = (user.standing.id, user.password.clone());
        let rehash = session.write(move |db| Ok(users::rehash_password(db, id, &old, &rehashed)?));
        rehash.await?;
    }
    Ok(crate::signed_in(&session, user))
}

/// The name that is typed to sign in, cleaned; one that is no name is empty, and nobody has that.
///
/// # Errors
/// 400 when there is none.
pub(crate) fn name_of(body: &JsonObject) -> Result<String> {
    let name = body.get("username").filter(|name| truthy(name));
    Ok(match name.ok_or(Error::bad_request("usernameMissing"))? {
        Value::String(name) => clean_email(name),
        Value::Number(id) => id.to_string(),
        _ => String::new(),
    })
}

async fn verify(session: &Session, user: Option<&User>, password: &Value) -> Result<Option<Verified>> {
    // A password that is no text matches none, and costs what any other does.
    let stored = user.filter(|_| password.is_string()).map(|user| user.password.clone());
    session
        .verify_password(password.as_str().unwrap_or_default().to_owned(), stored)
        .await
}

async fn ask_second_factor(session: &Session, user: &User, typed: Typed) -> Result<()> {
    let (id, verified) = (user.standing.id, user.password.clone());
    let ask = session.write(move |db| {
        // The password is no longer right when it was changed meanwhile.
        let user = users::by_id(db, EntityId::Integer(id))?.filter(|user| user.password == verified);
        typed.signs_in(db, &user.ok_or(FAILED)?)
    });
    if ask.await? { Ok(()) } else { Err(FAILED) }
}
