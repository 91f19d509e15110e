//! `POST /signin`, `POST /signinlink/{id}` and `POST /signinlink/{id}/{check}`

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::confirmation::Kind;
use bespoke_core::entity::user::User;
use bespoke_database::{confirmations, users};
use bespoke_web::{Body, Error, Id, Params, Public, Result, Session, Verified, truthy};
use serde_json::Value;

/// Signs in by user name, address or id, and password. One password hash is run on every path, so that the time of the
/// answer does not tell whether there is such an account (defect D58).
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
        let id = user.standing.id;
        session
            .write(move |db| Ok(users::set_password(db, id, &rehashed)?))
            .await?;
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

/// Signs in by the link of a mail: its id and its check, which stands in the path or in the body. A link works once.
pub(crate) async fn link(_: Public, session: Session, id: Id, params: Params, body: Body) -> Result<Response> {
    let in_body = || body.0.get("check").and_then(Value::as_str).unwrap_or_default();
    let check = if params.get("check").is_empty() {
        in_body()
    } else {
        params.get("check")
    }
    .to_owned();
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
