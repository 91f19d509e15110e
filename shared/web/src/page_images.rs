//! Images of pages: the pages that refer to them, and their end.

use bespoke_core::entity::image::ImageId;
use bespoke_database::page_images::{self, PageImage, PageName};
use bespoke_services::github::PageKind;

use crate::{Error, Result, Session};

/// Most images that are looked at in one run of maintenance: each may need two calls to GitHub.
const OLD_IMAGES: u32 = 100;
/// Seconds after which a request that needed GitHub may be repeated.
const RETRY_AFTER_S: u64 = 5;

impl Session {
    /// Whether there is a page that may have this image, or a proposal for one. False without a repository, which has all pages.
    ///
    /// # Errors
    /// 503 when GitHub does not answer.
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

    /// Deletes old images to which no page refers; those of a page are permanent from now on. Gives how many were deleted.
    pub(crate) async fn purge_page_images(&self) -> Result<usize> {
        let now = self.now();
        let old = self.read(|db| Ok(page_images::old(db, now, OLD_IMAGES)?)).await?;
        let (mut settled, mut deleted) = (Vec::new(), 0);
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
