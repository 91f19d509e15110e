//! [`Bookmark`]: a bookmark in a response.

use bespoke_core::entity::bookmark;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A bookmark in a response.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the entity")]
pub struct Bookmark {
    pub id: i64,
    #[schema(pattern = "^(set|cset|pattern|design|doc|custom)$")]
    pub r#type: String,
    pub title: String,
    pub url: String,
    pub user_id: i64,
    pub uuid: Uuid,
    pub user_uuid: Uuid,
}

impl From<bookmark::Bookmark> for Bookmark {
    fn from(bookmark: bookmark::Bookmark) -> Self {
        Self {
            id: bookmark.id,
            r#type: bookmark.content.kind,
            title: bookmark.content.title,
            url: bookmark.content.url,
            user_id: bookmark.user_id,
            uuid: bookmark.uuid,
            user_uuid: bookmark.user_uuid,
        }
    }
}
