//! Methods of [`Session`] for the images of pages of the website: find the pages that refer to an image, and delete images without a
//! page.

use bespoke_core::entity::image::ImageId;
use bespoke_database::page_images::{self, PageImage, PageName};
use bespoke_services::github::PageKind;

use crate::response::{Error, Result};
use crate::state::Session;

/// The maximum number of images that one run of maintenance checks, because each may need two calls to GitHub.
const OLD_IMAGES: u32 = 100;
/// `Retry-After` if GitHub does not respond, in seconds.
const RETRY_AFTER_S: u64 = 5;

impl Session {
    /// Whether a page or a proposed page exists that may contain the image. Returns `false` if the settings name no repository.
    ///
    /// # Errors
    /// 503 if GitHub does not respond.
    pub async fn has_page_of(&self, image: &PageImage) -> Result<bool> {
        for page in image.pages() {
            if self.has_page(&page).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn has_page(&self, page: &PageName) -> Result<bool> {
        let (Some(github), Some(kind)) = (self.github(), PageKind::from_name(&page.kind)) else {
            return Ok(false);
        };
        let unavailable = |problem| Error::unavailable(RETRY_AFTER_S, format!("GitHub: {problem}"));
        let is_there = github
            .has_page(kind, &page.slug, self.now())
            .await
            .map_err(unavailable)?;
        Ok(is_there || github.has_proposal(kind, &page.slug).await.map_err(unavailable)?)
    }

    /// Deletes old images without a page, and makes the others permanent. Returns the number of deleted images.
    pub(crate) async fn purge_page_images(&self) -> Result<usize> {
        let now = self.now();
        let old = self.read(|db| Ok(page_images::old(db, now, OLD_IMAGES)?)).await?;
        // The row of a deleted image goes, too. An image without a row is permanent.
        let mut settled = Vec::new();
        let mut deleted = 0;
        for image in old {
            if !self.has_page_of(&image).await? {
                if let Some(id) = ImageId::parse(&image.name) {
                    self.images().remove(&id).await?;
                }
                deleted += 1;
            }
            settled.push(image.name);
        }
        if !settled.is_empty() {
            let forget = self.write(move |db| {
                for name in &settled {
                    page_images::delete(db, name)?;
                }
                Ok(())
            });
            forget.await?;
        }
        Ok(deleted)
    }
}
