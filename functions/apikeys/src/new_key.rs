//! An API key together with its secret.

use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::{KeySecret, Level, Networks, Scopes, Timestamp};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A key that was just made, or given a new secret: nothing else ever shows a secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewApiKey)]
pub(crate) struct NewKey {
    key: Uuid,
    /// Null only in the answer to a repeat under an `Idempotency-Key`: it is shown once.
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
    /// What it may do of what its level allows; null for all of it.
    #[schema(required)]
    scopes: Option<Vec<String>>,
    /// The networks from which it may be used; null for everywhere.
    #[schema(required)]
    cidr: Option<Vec<String>>,
    /// After a rotation: until then the secret before this one is taken too.
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
