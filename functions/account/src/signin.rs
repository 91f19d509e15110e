//! `POST /signin`: [`password`] signs in with a user name or address, a password, and a second factor if the account has one.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::user::User;
use bespoke_core::validate::{MAX_USERNAME_BYTES, clean_email, fold_username};
use bespoke_database::{Db, known_networks, users};
use bespoke_web::attempts::AttemptOrigin;
use bespoke_web::{Body, ClientIp, Error, JsonObject, Public, Result, Session, VerifiedPassword, truthy};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::SignedIn;
use crate::lockout::{self, Admission, Attempt};
use crate::second_factor::{CodeAttempt, SubmittedCode};

/// The error for a wrong name, password or code.
pub(crate) const FAILED: Error = Error::unauthorized("signInFailed");

/// Body of `POST /signin`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct SignIn {
    /// User name, e-mail address or id, in any letter case.
    #[schema(example = "jane@example.com")]
    username: String,
    /// Password.
    #[schema(example = "correct horse")]
    password: String,
    /// Code from the authenticator app, or a scratch code, if the account has a second factor.
    token: Option<String>,
}

/// Sign in
///
/// The response is the same for an unknown account and for a wrong password. After many failures, the right password is refused
/// for a while too. A link by mail still works then, and so does the password from a network with an earlier sign-in to the account.
// Every name that is not locked costs one password hash, so that the response time does not reveal whether an account exists.
#[utoipa::path(post, path = "/signin", tag = "Accounts", operation_id = "signIn", request_body = SignIn,
    responses(
        (status = 200, description = "The account, and a token.", body = SignedIn),
        (status = 400, description = "`postBodyMissing`, `usernameMissing`, `passwordMissing`: the field is missing."),
        (status = 401, description = "`signInFailed`: the account does not exist, the password or the code is wrong, or there \
            were too many attempts."),
        (status = 403, description = "`mfaTokenRequired`: the account requires a code. `statusLacking`: the account is not \
            active. `accountBlocked`: an administrator has blocked it."),
    ))]
pub(crate) async fn password(_: Public, session: Session, client: ClientIp, body: Body) -> Result<Response> {
    let body = body.required()?;
    let name = name_of(&body)?;
    let password = body
        .get("password")
        .filter(|password| truthy(password))
        .ok_or(Error::bad_request("passwordMissing"))?;
    let origin = session.origin(client);
    let attempt = Attempt { name, origin };
    let open = match attempt.reserve(&session).await? {
        Admission::NameLocked => return Err(lockout::too_many()),
        Admission::AccountLocked => None,
        Admission::Open(open) => Some(open),
    };
    let verified = verify(&session, open.as_ref().and_then(|open| open.user_id), password).await;
    let (open, user, verified) = match (open, verified) {
        (Some(open), Ok(Some((user, verified)))) => (open, user, verified),
        (Some(open), Ok(None)) => {
            open.failed(&session).await?;
            return Err(FAILED);
        }
        (Some(open), Err(error)) => {
            open.release(&session).await;
            return Err(error);
        }
        (None, Ok(_)) => return Err(FAILED),
        (None, Err(error)) => return Err(error),
    };
    let code = match SubmittedCode::of(&body, origin).reserve(&session, &user).await {
        Ok(code) => code,
        Err(error) => {
            open.release(&session).await;
            return Err(error);
        }
    };
    let user_id = user.account_status.id;
    let sign_in = SignInByPassword {
        origin,
        user_id,
        password: user.password,
        rehashed: verified.rehashed,
        code: code.clone(),
    };
    let store = session.write(move |db| sign_in.store(db));
    let (decision, ()) = tokio::join!(store, open.release(&session));
    code.release_or_keep(&session, decision.as_ref().copied()).await?;
    match decision? {
        SignInDecision::Admitted => {}
        SignInDecision::CodeMissing => return Err(Error::forbidden("mfaTokenRequired")),
        SignInDecision::Refused => return Err(FAILED),
    }
    // The account may have been deleted since.
    let user = session
        .read(|db| Ok(users::by_id(db, EntityId::Integer(user_id))?))
        .await?;
    let user = user.ok_or(FAILED)?;
    crate::may_sign_in(&user)?;
    Ok(crate::signed_in(&session, user))
}

/// A sign-in whose password was right.
struct SignInByPassword {
    origin: AttemptOrigin,
    user_id: i64,
    /// The stored hash that the password was verified against.
    password: String,
    /// A new hash, if the stored hash is outdated.
    rehashed: Option<String>,
    code: CodeAttempt,
}

/// Decision about a sign-in whose password or link was right, or about the removal of the second factor.
///
/// The names of the variants are stored, because commits record their results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SignInDecision {
    /// The sign-in succeeded.
    Admitted,
    /// The account has a second factor, and the request has no code.
    CodeMissing,
    /// The code was wrong, or the password has changed in the meantime.
    Refused,
}

impl SignInByPassword {
    /// Checks the second factor, and that the password has not changed since it was verified.
    fn store(&self, db: &Db<'_>) -> Result<SignInDecision> {
        let user = users::by_id(db, EntityId::Integer(self.user_id))?;
        let Some(user) = user.filter(|user| user.password == self.password) else {
            return Ok(SignInDecision::Refused);
        };
        let decision = self.code.check_for_sign_in(db, &user)?;
        if decision == SignInDecision::Admitted && crate::may_sign_in(&user).is_ok() {
            let AttemptOrigin { client, now } = self.origin;
            known_networks::note(db, self.user_id, client, now)?;
            if let Some(rehashed) = &self.rehashed {
                users::rehash_password(db, self.user_id, &self.password, rehashed)?;
            }
        }
        Ok(decision)
    }
}

/// Returns the cleaned name that was typed to sign in. An invalid name becomes empty, which no account has.
///
/// # Errors
/// 400 if the request has no name.
pub(crate) fn name_of(body: &JsonObject) -> Result<String> {
    let name = body.get("username").filter(|name| truthy(name));
    Ok(match name.ok_or(Error::bad_request("usernameMissing"))? {
        Value::String(name) if name.trim().len() > MAX_USERNAME_BYTES => String::new(),
        Value::String(name) => fold_username(&clean_email(name)),
        Value::Number(id) => id.to_string(),
        _ => String::new(),
    })
}

/// Returns the account if the password is right. If there is no account, the password is hashed all the same.
async fn verify(session: &Session, user_id: Option<i64>, password: &Value) -> Result<Option<(User, VerifiedPassword)>> {
    let user = match user_id {
        Some(id) => session.read(|db| Ok(users::by_id(db, EntityId::Integer(id))?)).await?,
        None => None,
    };
    // A password that is not a string never matches, and costs as much time as any other.
    let stored = user
        .as_ref()
        .filter(|_| password.is_string())
        .map(|user| user.password.clone());
    let password = password.as_str().unwrap_or_default().to_owned();
    let verified = session.verify_password(password, stored).await?;
    Ok(user.zip(verified))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn name_is_normalized_to_its_limit_only() {
        let name = |name: &str| name_of(&JsonObject::from_iter([("username".to_owned(), json!(name))])).unwrap();
        for (typed, expected) in [
            (" Jane@Example.COM ", "jane@example.com"),
            ("JO\u{308}RG", "j\u{f6}rg"),
            (&"\u{10400}".repeat(64), &*"\u{10428}".repeat(64)),
            (&"x".repeat(MAX_USERNAME_BYTES + 1), ""),
            (&"\u{130}".repeat(500_000), ""),
        ] {
            assert_eq!(name(typed), expected);
        }
    }
}
