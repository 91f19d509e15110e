//! [`BucketImages`]: the embedded default. Images are stored in the bucket, next to the database.

use std::sync::Arc;

use async_trait::async_trait;
use bespoke_core::entity::image::ImageId;
use bespoke_storage::{Fetched, ObjectStore, PutCondition, StoreError};

use super::picture::{Image, ImageError, ImageStore};

/// Stores each image as the object `images/<id>`.
pub(super) struct BucketImages(Arc<dyn ObjectStore>);

impl BucketImages {
    /// Creates a store in that bucket.
    pub(super) fn new(bucket: Arc<dyn ObjectStore>) -> Self {
        Self(bucket)
    }
}

const PREFIX: &str = "images/";

/// Returns the key of the object of an image.
pub fn key(id: &ImageId) -> String {
    format!("{PREFIX}{id}")
}

#[async_trait]
impl ImageStore for BucketImages {
    async fn put(&self, id: &ImageId, image: Image) -> Result<(), ImageError> {
        self.0.put(&key(id), image.0, PutCondition::None).await?;
        Ok(())
    }

    async fn ensure(&self, id: &ImageId, image: Image) -> Result<bool, ImageError> {
        match self.0.put(&key(id), image.0, PutCondition::CreateOnly).await {
            Ok(_) => Ok(true),
            Err(StoreError::PreconditionFailed) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn get(&self, id: &ImageId) -> Result<Option<Image>, ImageError> {
        Ok(match self.0.get(&key(id), None).await? {
            Fetched::Found(object) => Some(Image(object.body)),
            Fetched::Missing | Fetched::NotModified { .. } => None,
        })
    }

    async fn remove(&self, id: &ImageId) -> Result<(), ImageError> {
        Ok(self.0.delete(&key(id)).await?)
    }

    async fn stored_before(&self, unix_ms: u64) -> Result<Vec<ImageId>, ImageError> {
        let listed = self.0.list(PREFIX).await?;
        let old = listed.iter().filter(|listed| listed.last_modified_ms < unix_ms);
        Ok(old
            .filter_map(|listed| ImageId::parse(listed.key.strip_prefix(PREFIX)?))
            .collect())
    }

    async fn url(&self, id: &ImageId, lifetime_ms: u64) -> Result<Option<String>, ImageError> {
        Ok(self.0.presigned_get(&key(id), lifetime_ms).await?)
    }
}

#[cfg(test)]
mod tests {
    use bespoke_storage::MemoryStore;

    use super::*;

    #[tokio::test]
    async fn image_is_replaced_found_and_removed() {
        let images = BucketImages::new(Arc::new(MemoryStore::new()));
        let id = ImageId::Set(7);
        assert_eq!(images.get(&id).await.unwrap(), None);
        for content in [&b"one"[..], b"\x89PNG two"] {
            let image = Image(content.into());
            images.put(&id, image.clone()).await.unwrap();
            assert_eq!(images.get(&id).await.unwrap(), Some(image));
        }
        assert_eq!(images.get(&id).await.unwrap().unwrap().media_type(), "image/png");
        assert_eq!(images.get(&ImageId::Set(8)).await.unwrap(), None);
        assert!(!images.ensure(&id, Image(b"three"[..].into())).await.unwrap());
        assert_eq!(images.get(&id).await.unwrap().unwrap().media_type(), "image/png");
        images.remove(&id).await.unwrap();
        images.remove(&id).await.unwrap();
        assert_eq!(images.get(&id).await.unwrap(), None);
        assert!(images.ensure(&id, Image(b"three"[..].into())).await.unwrap());
        assert!(images.get(&id).await.unwrap().is_some());
        assert_eq!(images.url(&id, 1).await.unwrap(), None);
    }
}
