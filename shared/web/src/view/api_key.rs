//! [`ApiKeyListItem`]: an API key in a list.

use bespoke_core::entity::api_key::ApiKey;
use bespoke_core::{Level, Networks, Scopes, Timestamp};
use bespoke_database::usage::Usage;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// An API key in a list. `id` and `key` have the same value.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the entity")]
pub struct ApiKeyListItem {
    pub id: Uuid,
    /// Calls with the key. Calls of the last minute may be missing.
    pub calls: i64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    pub name: Value,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub last_seen: Option<Timestamp>,
    #[schema(value_type = u8, maximum = 9)]
    pub level: Level,
    pub user_id: i64,
    pub user_uuid: Uuid,
    pub key: Uuid,
    /// The scopes to which the key is restricted; null for all that its level allows.
    #[schema(required)]
    pub scopes: Option<Vec<String>>,
    /// The networks from which the key may be used; null for all.
    #[schema(required)]
    pub cidr: Option<Vec<String>>,
}

impl ApiKeyListItem {
    /// Returns the items of a list. `unmerged` contains the counts that the database does not contain yet.
    pub fn list(keys: Vec<ApiKey>, unmerged: &[Usage]) -> Vec<Self> {
        let mut items: Vec<Self> = keys.into_iter().map(Self::from).collect();
        for item in &mut items {
            for usage in unmerged.iter().filter(|usage| usage.key == Some(item.id)) {
                let last = Some(Timestamp::from_millis(usage.last_ms)).filter(|_| usage.last_ms > 0);
                item.calls += usage.calls;
                item.last_seen = item.last_seen.max(last);
            }
        }
        items
    }
}

impl From<ApiKey> for ApiKeyListItem {
    fn from(key: ApiKey) -> Self {
        Self {
            scopes: key.scopes.as_ref().map(Scopes::names),
            cidr: key.cidr.as_ref().map(Networks::texts),
            id: key.uuid,
            calls: key.calls,
            created_at: key.created_at,
            expires_at: key.expires_at,
            name: key.name,
            last_seen: key.last_seen,
            level: key.level,
            user_id: key.user_id,
            user_uuid: key.user_uuid,
            key: key.uuid,
        }
    }
}
