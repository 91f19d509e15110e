//! `POST /apikeys/{id}/rotate/{auth}`: [`rotate`] gives an API key a new secret. The old one stays valid for a grace period.

use axum::response::Response;
use bespoke_core::KeySecret;
use bespoke_core::entity::api_key::{DEFAULT_GRACE_S, MAX_GRACE_S};
use bespoke_database::api_keys;
use bespoke_web::level::USER;
use bespoke_web::{Body, Caller, Error, Id, JsonObject, Outcome, Result, Session, ok};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::new_key::NewKey;

const SECOND_MS: i64 = 1000;

#[derive(Serialize, ToSchema)]
#[schema(as = RotatedApiKeyAnswer)]
pub(crate) struct RotateKeyResponse {
    result: Outcome,
    apikey: NewKey,
}

/// Body of `POST /apikeys/{id}/rotate/{auth}`.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct RotateRequest {
    /// How long the previous secret still works, in seconds.
    #[schema(minimum = 0, maximum = 2_592_000, default = 86_400)]
    grace_seconds: Option<i64>,
}

/// Give an API key a new secret
///
/// Id, name, level, scopes and expiry of the key stay the same. The new secret is shown only in this response. The previous secret
/// works until the end of the grace period; the one before it stops working at once. The caller must own the key, and its level must
/// not exceed that of the caller.
#[utoipa::path(post, path = "/apikeys/{id}/rotate/{auth}", tag = "API keys", operation_id = "rotateApiKey",
    params(("id" = Uuid, Path, description = "UUID of the key.")),
    request_body = RotateRequest,
    responses(
        (status = 200, description = "The key and its new secret.", body = RotateKeyResponse),
        (status = 400, description = "`graceSecondsInvalid`: not a whole number of seconds from 0 to 2,592,000. \
            `keyLevelExceedsRoleLevel`: the level of the key is above the caller's."),
        (status = 403, description = "`restrictedKey`: the caller's key is bound to addresses, so it cannot rotate keys."),
        (status = 404, description = "There is no such key."),
    ))]
pub(crate) async fn rotate(caller: Caller<USER>, session: Session, id: Id, Body(body): Body) -> Result<Response> {
    let grace_until = session.now().plus_ms(grace_ms(&body)?);
    let secret = KeySecret::generate(session.random());
    let digest = secret.digest();
    let rotate = caller.write(&session, move |db, actor| {
        let key = crate::find(db, id)?;
        actor.may_rotate_key(key.user_id)?;
        actor.may_change_credentials()?;
        actor.may_issue_key(key.level)?;
        Ok(api_keys::rotate(db, key.uuid, &digest, grace_until)?)
    });
    rotate.await?;
    let key = session.read(|db| crate::find(db, id)).await?;
    Ok(ok(&RotateKeyResponse {
        result: Outcome::Success,
        apikey: NewKey::of(key, Some(&secret), Some(grace_until)),
    }))
}

fn grace_ms(body: &JsonObject) -> Result<i64> {
    let seconds = match body.get("graceSeconds") {
        None | Some(Value::Null) => Some(DEFAULT_GRACE_S),
        Some(value) => value.as_i64().filter(|seconds| (0..=MAX_GRACE_S).contains(seconds)),
    };
    seconds
        .map(|seconds| seconds * SECOND_MS)
        .ok_or(Error::bad_request("graceSecondsInvalid"))
}
