//! `POST /apikeys/{auth}`

use axum::response::Response;
use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::{KeySecret, Level, Timestamp};
use bespoke_database::api_keys;
use bespoke_web::level::USER;
use bespoke_web::{Body, Caller, Error, JsonObject, Outcome, Result, Session, created, truthy};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

const DAY_S: f64 = 24.0 * 60.0 * 60.0;
const SECOND_MS: f64 = 1000.0;
/// The longest name of a key, as JSON, in bytes.
const MAX_NAME_BYTES: usize = 1024;

#[derive(Serialize, ToSchema)]
#[schema(as = NewApiKeyAnswer)]
pub(crate) struct Answer<'a> {
    result: Outcome,
    apikey: NewKey<'a>,
}

/// A new key: the only answer that ever shows its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewApiKey)]
struct NewKey<'a> {
    key: Uuid,
    #[schema(pattern = "^fsk_[0-9A-Za-z]{49}$")]
    secret: &'a str,
    #[schema(value_type = u8, maximum = 9)]
    level: Level,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    name: &'a Value,
    user_id: i64,
    user_uuid: Uuid,
    id: Uuid,
}

/// What was asked for.
struct Wanted {
    name: Value,
    level: Level,
    life_ms: i64,
}

/// What a key is asked for with.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a request")]
pub(crate) struct ApiKeyRequest {
    /// What its owner calls it.
    #[schema(example = "my script")]
    name: String,
    /// Highest level that calls with it have.
    #[schema(maximum = 9, example = 2)]
    level: u8,
    /// How long it works, in seconds.
    #[schema(exclusive_minimum = 0, example = 2_592_000)]
    expires_in: f64,
}

/// Make an API key
///
/// Its level is at most that of the caller, and so that of the owner's role now. The secret is shown in this answer and
/// never again.
#[utoipa::path(post, path = "/apikeys/{auth}", tag = "API keys", operation_id = "createApiKey", request_body = ApiKeyRequest,
    responses(
        (status = 201, description = "The key and its secret.", body = Answer),
        (status = 400, description = "`postBodyMissing`, `nameMissing`, `nameTooLong`, `levelMissing`, `levelNotNumeric`, `invalidLevel`, \
            `expiresInMissing`, `expiresIsNotNumeric`, `expiresIsHigherThanMaximum`: the field is missing or not what it has to be. \
            `keyLevelExceedsRoleLevel`: the level is above the caller's."),
    ))]
pub(crate) async fn create(caller: Caller<USER>, session: Session, body: Body) -> Result<Response> {
    let Wanted { name, level, life_ms } = check(&body.required()?, session.config().max_key_life_days)?;
    let secret = KeySecret::generate(session.random());
    let now = session.now();
    let key = ApiKey {
        uuid: session.random().uuid(),
        user_id: caller.actor.user_id,
        user_uuid: caller.standing.uuid,
        name,
        level,
        secret: secret.digest(),
        instance: session.config().instance.clone(),
        calls: 0,
        created_at: now,
        expires_at: now.plus_ms(life_ms),
        last_seen: None,
    };
    let stored = key.clone();
    let make = caller.write(&session, move |db, actor| {
        actor.may_issue_key(stored.level)?;
        Ok(api_keys::insert(db, &stored)?)
    });
    make.await?;
    let apikey = NewKey {
        key: key.uuid,
        secret: secret.expose(),
        level: key.level,
        created_at: key.created_at,
        expires_at: key.expires_at,
        name: &key.name,
        user_id: key.user_id,
        user_uuid: key.user_uuid,
        id: key.uuid,
    };
    Ok(created(&Answer {
        result: Outcome::Created,
        apikey,
    }))
}

fn check(body: &JsonObject, max_life_days: i64) -> Result<Wanted> {
    let name = body
        .get("name")
        .filter(|name| truthy(name))
        .ok_or(Error::bad_request("nameMissing"))?;
    if name.to_string().len() > MAX_NAME_BYTES {
        return Err(Error::bad_request("nameTooLong"));
    }
    // Level 0 is a level (contract-2026 section 2), though JavaScript takes 0 for missing.
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
    // Bounded by the line above: at most 100 years.
    Ok(Wanted {
        name: name.clone(),
        level,
        life_ms: (life_s * SECOND_MS) as i64,
    })
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
    fn each_field_is_checked_in_the_order_of_the_contract() {
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
        ] {
            assert_eq!(code(&body).as_deref(), expected, "{body}");
        }
    }
}
