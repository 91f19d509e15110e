//! [`CloudflareImages`]: stores images at Cloudflare Images.

use std::sync::Arc;

use async_trait::async_trait;
use bespoke_core::entity::image::ImageId;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, StatusCode};

use super::picture::{Image, ImageError, ImageStore};
use crate::Token;
use crate::http::{CallError, CallResponse, Http, send};

/// Access to Cloudflare Images.
#[derive(Debug, Clone)]
pub struct CloudflareSettings {
    /// URL of the API, without a slash at its end.
    pub api_url: String,
    /// Id of the account.
    pub account: String,
    /// The token for the API.
    pub token: Token,
}

/// Stores each image under its id. Clients get images from this server, so that those of private sets and patterns
/// stay private.
///
/// Cloudflare cannot replace an image: its name is free only once the old image is deleted. So the new image is first
/// stored under a second name, the spare. Readers try the spare if the id has no image. A failure or a crash at any
/// point leaves the old image or the new one readable.
pub(super) struct CloudflareImages {
    http: Arc<Http>,
    base: String,
    token: Token,
}

impl CloudflareImages {
    pub(super) fn new(settings: CloudflareSettings, http: Arc<Http>) -> Self {
        Self {
            base: format!("{}/accounts/{}/images/v1", settings.api_url, settings.account),
            token: settings.token,
            http,
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        request.bearer_auth(self.token.expose())
    }

    /// Stores an image under an unused name. If the name is in use, the status is 409. No personal data are sent.
    async fn upload(&self, name: &str, image: Image, can_be_private: bool) -> Result<CallResponse, CallError> {
        let media_type = image.media_type();
        let file = Part::stream(reqwest::Body::from(image.0)).file_name(name.to_owned());
        let file = file.mime_str(media_type).map_err(|_| CallError::InvalidResponse)?;
        let form = Form::new()
            .text("id", name.to_owned())
            .text("metadata", "{}")
            .text("requireSignedURLs", can_be_private.to_string())
            .part("file", file);
        send(self.request(Method::POST, "").multipart(form)).await
    }

    async fn delete(&self, name: &str) -> Result<(), CallError> {
        let answer = send(self.request(Method::DELETE, &format!("/{name}"))).await?;
        if answer.status != StatusCode::NOT_FOUND {
            answer.success()?;
        }
        Ok(())
    }

    async fn fetch(&self, name: &str) -> Result<Option<Image>, CallError> {
        let answer = send(self.request(Method::GET, &format!("/{name}/blob"))).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(Image(answer.success()?.body)))
    }

    /// Deletes a spare that is no longer needed. If that fails, the spare stays until the next replacement. It is not
    /// visible, because the id has an image.
    async fn discard(&self, spare: &str) {
        let _ = self.delete(spare).await;
    }
}

/// Returns the name of the spare. Ids of images contain no underscore, so it is never the name of another image.
fn spare_of(id: &ImageId) -> String {
    format!("{id}_next")
}

fn can_be_private(id: &ImageId) -> bool {
    matches!(id, ImageId::Set(_) | ImageId::Pattern(_))
}

#[async_trait]
impl ImageStore for CloudflareImages {
    async fn put(&self, id: &ImageId, image: Image) -> Result<(), ImageError> {
        let (name, spare, private) = (id.to_string(), spare_of(id), can_be_private(id));
        let direct = self.upload(&name, image.clone(), private).await?;
        if direct.status != StatusCode::CONFLICT {
            direct.success()?;
            self.discard(&spare).await;
            return Ok(());
        }
        // The id has an image. A spare may be left over from an earlier replacement.
        let mut as_spare = self.upload(&spare, image.clone(), private).await?;
        if as_spare.status == StatusCode::CONFLICT {
            self.delete(&spare).await?;
            as_spare = self.upload(&spare, image.clone(), private).await?;
        }
        as_spare.success()?;
        self.delete(&name).await?;
        let moved = self.upload(&name, image, private).await.and_then(CallResponse::success);
        // If this failed, readers find the new image as the spare, and the next replacement moves it.
        if moved.is_ok() {
            self.discard(&spare).await;
        }
        Ok(())
    }

    async fn ensure(&self, id: &ImageId, image: Image) -> Result<bool, ImageError> {
        if self.fetch(&spare_of(id)).await?.is_some() {
            return Ok(false);
        }
        let answer = self.upload(&id.to_string(), image, can_be_private(id)).await?;
        if answer.status == StatusCode::CONFLICT {
            return Ok(false);
        }
        answer.success()?;
        Ok(true)
    }

    async fn get(&self, id: &ImageId) -> Result<Option<Image>, ImageError> {
        let (name, spare) = (id.to_string(), spare_of(id));
        // The third attempt finds an image that was moved from the spare to its id between the first two.
        for name in [&name, &spare, &name] {
            if let Some(image) = self.fetch(name).await? {
                return Ok(Some(image));
            }
        }
        Ok(None)
    }

    async fn remove(&self, id: &ImageId) -> Result<(), ImageError> {
        self.delete(&spare_of(id)).await?;
        Ok(self.delete(&id.to_string()).await?)
    }

    async fn stored_before(&self, _: u64) -> Result<Vec<ImageId>, ImageError> {
        Ok(Vec::new())
    }

    async fn url(&self, _: &ImageId, _: u64) -> Result<Option<String>, ImageError> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
