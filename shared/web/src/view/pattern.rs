//! [`Pattern`]: a pattern in a response.

use bespoke_core::entity::pattern;
use bespoke_core::{StoredJson, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::state::Context;

/// A pattern in a response. `image` repeats `img`, because clients of the second API generation read that field.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the entity")]
pub struct Pattern {
    pub id: i64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// An object, an array or null.
    #[schema(value_type = serde_json::Value)]
    pub data: StoredJson,
    pub design: String,
    #[schema(required)]
    pub img: Option<String>,
    pub name: String,
    pub notes: String,
    pub public: bool,
    /// An object, an array or null.
    #[schema(value_type = serde_json::Value)]
    pub settings: StoredJson,
    pub user_id: i64,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    pub uuid: Uuid,
    pub user_uuid: Uuid,
    #[schema(required)]
    pub image: Option<String>,
    /// URL of the image; for a private pattern it is valid for one to two hours.
    #[schema(required)]
    pub image_url: Option<String>,
}

impl Pattern {
    /// Converts a pattern for a caller that may read it.
    pub fn new(pattern: pattern::Pattern, context: &Context) -> Self {
        let content = pattern.content;
        Self {
            image_url: context.image_url(content.img.as_deref(), content.public),
            id: pattern.id,
            created_at: pattern.created_at,
            data: content.data,
            design: content.design,
            img: content.img.clone(),
            name: content.name,
            notes: content.notes,
            public: content.public,
            settings: content.settings,
            user_id: pattern.user_id,
            updated_at: pattern.updated_at,
            uuid: pattern.uuid,
            user_uuid: pattern.user_uuid,
            image: content.img,
        }
    }
}
