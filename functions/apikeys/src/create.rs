//! `POST /apikeys/{auth}`: [`create`] creates an API key, and returns its secret once.

use axum::response::Response;
use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::{EntityId, KeySecret, Level, Networks, Scopes};
use bespoke_database::api_keys;
use bespoke_web::level::USER;
use bespoke_web::{Body, Caller, Error, Id, JsonObject, Outcome, Result, Session, created, truthy};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::new_key::NewKey;

const DAY_S: f64 = 24.0 * 60.0 * 60.0;
const SECOND_MS: f64 = 1000.0;
/// Limit for the name of a key, as JSON, in bytes.
const MAX_NAME_BYTES: usize = 1024;

#[derive(Serialize, ToSchema)]
#[schema(as = NewApiKeyAnswer)]
pub(crate) struct CreateKeyResponse {
    result: Outcome,
    apikey: NewKey,
}

/// A validated request.
struct ValidatedRequest {
    name: Value,
    level: Level,
    life_ms: i64,
    scopes: Option<Scopes>,
    cidr: Option<Networks>,
}

/// Body of `POST /apikeys/{auth}`.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct ApiKeyRequest {
    /// Name of the key, chosen by its owner.
    #[schema(example = "my script")]
    name: String,
    /// The highest level of calls with the key.
    #[schema(maximum = 9, example = 2)]
    level: u8,
    /// Lifetime of the key, in seconds.
    #[schema(exclusive_minimum = 0, example = 2_592_000)]
    expires_in: f64,
    /// Restricts the key to a part of the permissions of its level: `sets:read`, `sets:write`, `patterns:read`, `patterns:write`,
    /// `account:read`, `set:<uuid>:read`. Default: no restriction.
    #[schema(max_items = 32, nullable = false, example = json!(["sets:read"]))]
    scopes: Option<Vec<String>>,
    /// Addresses and networks that may use the key. Default: all.
    #[schema(max_items = 32, nullable = false, example = json!(["192.0.2.0/24"]))]
    cidr: Option<Vec<String>>,
}

/// Create an API key
///
/// The level of the key is at most that of the caller, which is at most that of the caller's role. The secret is shown only in this
/// response.
#[utoipa::path(post, path = "/apikeys/{auth}", tag = "API keys", operation_id = "createApiKey", request_body = ApiKeyRequest,
    responses(
        (status = 201, description = "The key and its secret. A repeat with the same `Idempotency-Key` does not return \
            the secret.", body = CreateKeyResponse),
        (status = 400, description = "`postBodyMissing`, `nameMissing`, `nameTooLong`, `levelMissing`, `levelNotNumeric`, `invalidLevel`, \
            `expiresInMissing`, `expiresIsNotNumeric`, `expiresIsHigherThanMaximum`: the field is missing or invalid. \
            `scopesInvalid`, `cidrInvalid`: not a list of scopes or networks. \
            `keyLevelExceedsRoleLevel`: the level is above the caller's."),
        (status = 403, description = "`restrictedKey`: the caller's key is bound to addresses, so it cannot create keys."),
    ))]
pub(crate) async fn create(caller: Caller<USER>, session: Session, body: Body) -> Result<Response> {
    let request = check(&body.required()?, session.config().max_key_life_days)?;
    let secret = KeySecret::generate(session.random());
    let now = session.now();
    let key = ApiKey {
        uuid: session.random().uuid(),
        user_id: caller.actor.user_id,
        user_uuid: caller.account_status.uuid,
        name: request.name,
        level: request.level,
        secret: secret.digest().into(),
        grace_until: None,
        scopes: request.scopes,
        cidr: request.cidr,
        instance: session.config().instance.clone(),
        calls: 0,
        created_at: now,
        expires_at: now.plus_ms(request.life_ms),
        last_seen: None,
    };
    let stored = key.clone();
    let make = caller.create(&session, move |db, actor| {
        actor.may_change_credentials()?;
        actor.may_issue_key(stored.level)?;
        api_keys::insert(db, &stored)?;
        api_keys::prune_expired(db, actor.user_id, stored.created_at)?;
        Ok(stored.uuid)
    });
    let creation = make.await?;
    if creation.is_repeat {
        // This is a repeat, and the secret is shown only once.
        let id = Id(EntityId::Uuid(creation.value));
        let key = session.read(|db| crate::find(db, id)).await?;
        return Ok(created(&new_key_response(key, None)));
    }
    Ok(created(&new_key_response(key, Some(&secret))))
}

fn new_key_response(key: ApiKey, secret: Option<&KeySecret>) -> CreateKeyResponse {
    CreateKeyResponse {
        result: Outcome::Created,
        apikey: NewKey::of(key, secret, None),
    }
}

fn check(body: &JsonObject, max_life_days: i64) -> Result<ValidatedRequest> {
    let name = body
        .get("name")
        .filter(|name| truthy(name))
        .ok_or(Error::bad_request("nameMissing"))?;
    if name.to_string().len() > MAX_NAME_BYTES {
        return Err(Error::bad_request("nameTooLong"));
    }
    // Level 0 is valid, so it is not treated as missing like other falsy values.
    let level = body.get("level").filter(|level| level.is_number() || truthy(level));
    let level = level.ok_or(Error::bad_request("levelMissing"))?;
    let level = level.as_f64().ok_or(Error::bad_request("levelNotNumeric"))?;
    let level = (level.fract() == 0.0 && (0.0..=9.0).contains(&level))
        .then(|| Level::new(level as u8))
        .flatten();
    let level = level.ok_or(Error::bad_request("invalidLevel"))?;
    let life = body
        .get("expiresIn")
        .filter(|life| truthy(life))
        .ok_or(Error::bad_request("expiresInMissing"))?;
    let life_s = life.as_f64().ok_or(Error::bad_request("expiresIsNotNumeric"))?;
    if life_s <= 0.0 {
        return Err(Error::bad_request("expiresInMissing"));
    }
    if life_s > max_life_days as f64 * DAY_S {
        return Err(Error::bad_request("expiresIsHigherThanMaximum"));
    }
    // The check of the lifetime bounds the sum to at most 100 years from now.
    Ok(ValidatedRequest {
        name: name.clone(),
        level,
        life_ms: (life_s * SECOND_MS) as i64,
        scopes: list(body, "scopes", "scopesInvalid", Scopes::parse)?,
        cidr: list(body, "cidr", "cidrInvalid", Networks::parse)?,
    })
}

/// Parses a list of strings with `parse`. `None` if the field is missing or null.
fn list<'a, T, E>(
    body: &'a JsonObject,
    name: &str,
    code: &'static str,
    parse: impl FnOnce(Vec<&'a str>) -> Result<T, E>,
) -> Result<Option<T>> {
    let invalid = || Error::bad_request(code);
    let Some(value) = body.get(name).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let items = value.as_array().ok_or_else(invalid)?;
    let texts: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
    parse(texts.ok_or_else(invalid)?).map(Some).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code(body: &Value) -> Option<String> {
        check(body.as_object().unwrap(), 732)
            .err()
            .map(|error| error.code().to_owned())
    }

    #[test]
    fn fields_are_checked_in_order() {
        let max = 732 * 24 * 60 * 60;
        for (body, expected) in [
            (json!({}), Some("nameMissing")),
            (json!({ "name": "" }), Some("nameMissing")),
            (json!({ "name": "n".repeat(1024) }), Some("nameTooLong")),
            (json!({ "name": "n" }), Some("levelMissing")),
            (json!({ "name": "n", "level": "" }), Some("levelMissing")),
            (json!({ "name": "n", "level": "4" }), Some("levelNotNumeric")),
            (json!({ "name": "n", "level": [4] }), Some("levelNotNumeric")),
            (json!({ "name": "n", "level": 10 }), Some("invalidLevel")),
            (json!({ "name": "n", "level": -1 }), Some("invalidLevel")),
            (json!({ "name": "n", "level": 1.5 }), Some("invalidLevel")),
            (json!({ "name": "n", "level": 1 }), Some("expiresInMissing")),
            (
                json!({ "name": "n", "level": 1, "expiresIn": 0 }),
                Some("expiresInMissing"),
            ),
            (
                json!({ "name": "n", "level": 1, "expiresIn": "60" }),
                Some("expiresIsNotNumeric"),
            ),
            (
                json!({ "name": "n", "level": 1, "expiresIn": -60 }),
                Some("expiresInMissing"),
            ),
            (
                json!({ "name": "n", "level": 1, "expiresIn": max + 1 }),
                Some("expiresIsHigherThanMaximum"),
            ),
            (
                json!({ "name": "n", "level": 1, "expiresIn": 1e300 }),
                Some("expiresIsHigherThanMaximum"),
            ),
            (json!({ "name": "n", "level": 1, "expiresIn": max }), None),
            (
                json!({ "name": { "any": "value" }, "level": 0, "expiresIn": 0.5 }),
                None,
            ),
            (
                json!({ "name": "n", "level": 1, "expiresIn": 1, "scopes": null, "cidr": null }),
                None,
            ),
            (
                json!({ "name": "n", "level": 1, "expiresIn": 1, "scopes": "sets:read" }),
                Some("scopesInvalid"),
            ),
            (
                json!({ "name": "n", "level": 1, "expiresIn": 1, "scopes": [] }),
                Some("scopesInvalid"),
            ),
            (
                json!({ "name": "n", "level": 1, "expiresIn": 1, "scopes": [1] }),
                Some("scopesInvalid"),
            ),
            (
                json!({ "name": "n", "level": 1, "expiresIn": 1, "cidr": ["x"] }),
                Some("cidrInvalid"),
            ),
        ] {
            assert_eq!(code(&body).as_deref(), expected, "{body}");
        }
    }
}
