//! [`NewKey`]: an API key together with its secret, as the response to its creation or rotation.

use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::{KeySecret, Level, Networks, Scopes, Timestamp};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A key that was just created, or that got a new secret. No other response contains a secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewApiKey)]
pub(crate) struct NewKey {
    key: Uuid,
    /// `null` only in the response to a repeated request with the same `Idempotency-Key`, because the secret is shown once.
    #[schema(required, pattern = "^fsk_[0-9A-Za-z]{49}$")]
    secret: Option<String>,
    #[schema(value_type = u8, maximum = 9)]
    level: Level,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    name: Value,
    user_id: i64,
    user_uuid: Uuid,
    id: Uuid,
    /// The parts of its level's permissions that the key has. `null`: all.
    #[schema(required)]
    scopes: Option<Vec<String>>,
    /// The networks that may use the key. `null`: all.
    #[schema(required)]
    cidr: Option<Vec<String>>,
    /// After a rotation: the previous secret works until this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    grace_until: Option<Timestamp>,
}

impl NewKey {
    pub(crate) fn of(key: ApiKey, secret: Option<&KeySecret>, grace_until: Option<Timestamp>) -> Self {
        Self {
            key: key.uuid,
            secret: secret.map(|secret| secret.expose().to_owned()),
            level: key.level,
            created_at: key.created_at,
            expires_at: key.expires_at,
            user_id: key.user_id,
            user_uuid: key.user_uuid,
            id: key.uuid,
            scopes: key.scopes.as_ref().map(Scopes::names),
            cidr: key.cidr.as_ref().map(Networks::texts),
            name: key.name,
            grace_until,
        }
    }
}
