//! Images at Cloudflare Images (contract-2023 section 6).

use std::sync::Arc;

use async_trait::async_trait;
use bespoke_core::entity::image::ImageId;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, StatusCode};

use super::{Image, ImageError, ImageStore};
use crate::Token;
use crate::http::{Answer, CallError, Http, send};

/// How Cloudflare Images is reached.
#[derive(Debug, Clone)]
pub struct CloudflareSettings {
    /// URL of the API, without a slash at its end.
    pub api_url: String,
    /// Id of the account.
    pub account: String,
    /// What the API wants to see.
    pub token: Token,
}

/// Keeps each image under its id. They are handed out by us, so that those of private sets and patterns stay private.
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

    /// Stores an image under an id that has none: otherwise the answer is 409. Nothing personal goes along.
    async fn upload(&self, id: &ImageId, image: Image) -> Result<Answer, CallError> {
        let can_be_private = matches!(id, ImageId::Set(_) | ImageId::Pattern(_));
        let media_type = image.media_type();
        let file = Part::stream(reqwest::Body::from(image.0)).file_name(id.to_string());
        let file = file.mime_str(media_type).map_err(|_| CallError::Garbage)?;
        let form = Form::new()
            .text("id", id.to_string())
            .text("metadata", "{}")
            .text("requireSignedURLs", can_be_private.to_string())
            .part("file", file);
        send(self.request(Method::POST, "").multipart(form)).await
    }

    async fn delete(&self, id: &ImageId) -> Result<(), CallError> {
        let answer = send(self.request(Method::DELETE, &format!("/{id}"))).await?;
        if answer.status != StatusCode::NOT_FOUND {
            answer.success()?;
        }
        Ok(())
    }

    async fn fetch(&self, id: &ImageId) -> Result<Option<Image>, CallError> {
        let answer = send(self.request(Method::GET, &format!("/{id}/blob"))).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(Image(answer.success()?.body)))
    }
}

#[async_trait]
impl ImageStore for CloudflareImages {
    /// An id is free only when its image is gone: the old one is put back when the new one then fails.
    async fn put(&self, id: &ImageId, image: Image) -> Result<(), ImageError> {
        let first = self.upload(id, image.clone()).await?;
        if first.status != StatusCode::CONFLICT {
            first.success()?;
            return Ok(());
        }
        let old = self.fetch(id).await?;
        self.delete(id).await?;
        let stored = self.upload(id, image).await.and_then(Answer::success);
        match (stored, old) {
            (Ok(_), _) => Ok(()),
            (Err(error), None) => Err(error.into()),
            (Err(error), Some(old)) => {
                self.upload(id, old).await.and_then(Answer::success)?;
                Err(error.into())
            }
        }
    }

    async fn ensure(&self, id: &ImageId, image: Image) -> Result<bool, ImageError> {
        let answer = self.upload(id, image).await?;
        if answer.status == StatusCode::CONFLICT {
            return Ok(false);
        }
        answer.success()?;
        Ok(true)
    }

    async fn get(&self, id: &ImageId) -> Result<Option<Image>, ImageError> {
        Ok(self.fetch(id).await?)
    }

    async fn remove(&self, id: &ImageId) -> Result<(), ImageError> {
        Ok(self.delete(id).await?)
    }

    async fn url(&self, _: &ImageId, _: u64) -> Result<Option<String>, ImageError> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
