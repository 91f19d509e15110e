//! [`purge_unnamed_images`]: deletes images that no record names. A process that ends between storing an image and naming it in its
//! record leaves one.

use bespoke_core::entity::image::ImageId;
use bespoke_database::{Freshness, images, page_images};

use crate::response::Result;
use crate::state::Context;

impl Context {
    /// Deletes old images without a record that names them. Returns their number. Younger ones stay, because a request may be about to
    /// name them. Only images in the bucket are found, because the other stores do not list theirs.
    pub(crate) async fn purge_unnamed_images(&self) -> Result<usize> {
        let latest_ms = self.now().plus_ms(-page_images::KEPT_MS).as_millis();
        let old = self.images().stored_before(latest_ms.try_into().unwrap_or(0)).await?;
        let mut deleted = 0;
        for image in self.unnamed(old).await? {
            // The rows are read again immediately before the deletion, because a request may have replaced and named the image meanwhile.
            for image in self.unnamed(vec![image]).await? {
                self.images().remove(&image).await?;
                deleted += 1;
            }
        }
        Ok(deleted)
    }

    /// Returns those of the images that no record names in the newest version of the database.
    async fn unnamed(&self, images: Vec<ImageId>) -> Result<Vec<ImageId>> {
        let read = self.database().read(Freshness::Strict, |db| {
            let mut unnamed = Vec::new();
            for image in &images {
                if !images::is_named(db, image)? {
                    unnamed.push(image.clone());
                }
            }
            Ok::<_, crate::Error>(unnamed)
        });
        read.await
    }
}
