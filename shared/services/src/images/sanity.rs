//! [`SanityImages`]: stores images at Sanity, with one document per image, which refers to an asset (the stored file).

use std::sync::Arc;

use async_trait::async_trait;
use bespoke_core::entity::image::ImageId;
use reqwest::{Method, RequestBuilder, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::picture::{Image, ImageError, ImageStore};
use crate::Token;
use crate::http::{CallError, Http, send};

/// The version of the API, a date.
const VERSION: &str = "v2024-01-01";
/// Query for the asset that a document refers to.
const FIND: &str = "*[_id == $id][0]{\"ref\": img.asset._ref, \"url\": img.asset->url}";

/// Access to Sanity.
#[derive(Debug, Clone)]
pub struct SanitySettings {
    /// URL of the project's API, without a slash at its end.
    pub api_url: String,
    /// Name of the dataset.
    pub dataset: String,
    /// The token for the API.
    pub token: Token,
}

/// Stores each image as a document whose `_id` is the image id. Clients never get a Sanity URL: the backend serves the
/// images itself, so that images of private sets and patterns stay private.
pub(super) struct SanityImages {
    http: Arc<Http>,
    settings: SanitySettings,
}

#[derive(Deserialize)]
struct Found {
    result: Option<Asset>,
}

#[derive(Deserialize)]
struct Asset {
    #[serde(rename = "ref")]
    reference: Option<String>,
    url: Option<String>,
}

#[derive(Deserialize)]
struct Uploaded {
    document: Document,
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "_id")]
    id: String,
}

impl SanityImages {
    pub(super) fn new(settings: SanitySettings, http: Arc<Http>) -> Self {
        Self { http, settings }
    }

    fn request(&self, method: Method, endpoint: &str) -> RequestBuilder {
        let SanitySettings {
            api_url,
            dataset,
            token,
        } = &self.settings;
        let request = self
            .http
            .request(method, format!("{api_url}/{VERSION}/{endpoint}/{dataset}"));
        request.bearer_auth(token.expose())
    }

    async fn find(&self, id: &ImageId) -> Result<Option<Asset>, CallError> {
        let query = [("query", FIND.to_owned()), ("$id", json!(id.to_string()).to_string())];
        let answer = send(self.request(Method::GET, "data/query").query(&query)).await?;
        Ok(answer.success()?.json::<Found>()?.result)
    }

    /// Uploads the image as an asset. Returns the reference to the asset.
    async fn upload(&self, image: Image) -> Result<Value, CallError> {
        let request = self.request(Method::POST, "assets/images");
        let request = request.header(header::CONTENT_TYPE, image.media_type()).body(image.0);
        let asset = send(request).await?.success()?.json::<Uploaded>()?.document.id;
        Ok(json!({ "_type": "image", "asset": { "_type": "reference", "_ref": asset } }))
    }

    async fn mutate(&self, mutation: Value) -> Result<(), CallError> {
        let request = self.request(Method::POST, "data/mutate");
        let request = request.json(&json!({ "mutations": [mutation] }));
        send(request).await?.success().map(drop)
    }

    /// Uploads the image and applies `mutation`, such as `createOrReplace`, with the document that refers to it.
    async fn store(&self, mutation: &str, id: &ImageId, image: Image) -> Result<(), CallError> {
        let img = self.upload(image).await?;
        let document = json!({ "_id": id.to_string(), "_type": type_of(id), "img": img });
        self.mutate(json!({ mutation: document })).await
    }

    /// Deletes an asset unless another document refers to it. (Sanity stores equal files once.) Sanity itself refuses to
    /// delete such an asset. That refusal and all other errors are ignored.
    async fn delete_if_unreferenced(&self, asset: Option<Asset>) {
        if let Some(asset) = asset.and_then(|asset| asset.reference) {
            let _ = self.mutate(json!({ "delete": { "id": asset } })).await;
        }
    }
}

fn type_of(id: &ImageId) -> &'static str {
    match id {
        ImageId::Account(_) => "userimg",
        ImageId::Set(_) => "setimg",
        ImageId::Pattern(_) => "patternimg",
        _ => "contentimg",
    }
}

#[async_trait]
impl ImageStore for SanityImages {
    async fn put(&self, id: &ImageId, image: Image) -> Result<(), ImageError> {
        let old = self.find(id).await?;
        self.store("createOrReplace", id, image).await?;
        self.delete_if_unreferenced(old).await;
        Ok(())
    }

    async fn ensure(&self, id: &ImageId, image: Image) -> Result<bool, ImageError> {
        if self.find(id).await?.is_some() {
            return Ok(false);
        }
        self.store("createIfNotExists", id, image).await?;
        Ok(true)
    }

    async fn get(&self, id: &ImageId) -> Result<Option<Image>, ImageError> {
        let Some(url) = self.find(id).await?.and_then(|asset| asset.url) else {
            return Ok(None);
        };
        // Assets are public for clients that know their URL, so the token is not sent.
        let answer = send(self.http.request(Method::GET, url)).await?.success()?;
        Ok(Some(Image(answer.body)))
    }

    async fn remove(&self, id: &ImageId) -> Result<(), ImageError> {
        let old = self.find(id).await?;
        self.mutate(json!({ "delete": { "id": id.to_string() } })).await?;
        self.delete_if_unreferenced(old).await;
        Ok(())
    }

    async fn stored_before(&self, _: u64) -> Result<Vec<ImageId>, ImageError> {
        // This store does not list its images by time.
        Ok(Vec::new())
    }

    async fn url(&self, _: &ImageId, _: u64) -> Result<Option<String>, ImageError> {
        // Clients never get a Sanity URL, so that images of private sets and patterns stay private.
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
