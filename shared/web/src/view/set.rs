//! [`Set`]: a measurement set in a response.

use bespoke_core::Timestamp;
use bespoke_core::entity::set::MeasurementSet;
use bespoke_core::measurement::StoredMeasurements;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::schema;
use crate::state::Context;

/// A set in a response. `image` repeats `img`, because clients of the second API generation read that field.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the entity")]
pub struct Set {
    pub id: i64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(required)]
    pub img: Option<String>,
    pub imperial: bool,
    pub name: String,
    pub notes: String,
    pub user_id: i64,
    #[schema(value_type = schema::Measurements)]
    pub measies: StoredMeasurements,
    pub public: bool,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    pub uuid: Uuid,
    pub user_uuid: Uuid,
    #[schema(required)]
    pub image: Option<String>,
    /// URL of the image; for a private set it is valid for one to two hours.
    #[schema(required)]
    pub image_url: Option<String>,
}

impl Set {
    /// Converts a set for a caller that may read it.
    pub fn new(set: &MeasurementSet<StoredMeasurements>, context: &Context) -> Self {
        let content = set.content.clone();
        Self {
            image_url: context.image_url(content.img.as_deref(), content.public),
            id: set.id,
            created_at: set.created_at,
            img: content.img.clone(),
            imperial: content.imperial,
            name: content.name,
            notes: content.notes,
            user_id: set.user_id,
            measies: content.measies,
            public: content.public,
            updated_at: set.updated_at,
            uuid: set.uuid,
            user_uuid: set.user_uuid,
            image: content.img,
        }
    }
}
