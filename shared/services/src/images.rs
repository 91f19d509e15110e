//! Images: checked, made anew without anything but the picture, and kept under an id.

mod bucket;
mod cloudflare;
mod fetch;
mod prepare;
mod sanity;

use std::sync::Arc;

use async_trait::async_trait;
use bespoke_core::entity::image::ImageId;
use bespoke_storage::{ObjectStore, StoreError};
use bytes::Bytes;

use crate::http::{CallError, Http};

pub use bucket::key;
pub use cloudflare::CloudflareSettings;
pub use fetch::Fetcher;
pub use prepare::{MAX_SOURCE_BYTES, prepare, prepare_file};
pub use sanity::SanitySettings;

/// Where the images are.
#[derive(Debug, Clone)]
pub enum ImagePlace {
    /// In the bucket, beside the database.
    Bucket,
    /// At Cloudflare Images.
    Cloudflare(CloudflareSettings),
    /// At Sanity.
    Sanity(SanitySettings),
}

/// The images that are there.
pub fn store(place: &ImagePlace, bucket: Arc<dyn ObjectStore>, http: Arc<Http>) -> Box<dyn ImageStore> {
    match place.clone() {
        ImagePlace::Bucket => Box::new(bucket::BucketImages::new(bucket)),
        ImagePlace::Cloudflare(settings) => Box::new(cloudflare::CloudflareImages::new(settings, http)),
        ImagePlace::Sanity(settings) => Box::new(sanity::SanityImages::new(settings, http)),
    }
}

/// A picture that is ready to be stored, or that was: a JPEG, or a PNG where it has transparency. Nothing else can be
/// made into one of these than by [`prepare`] or by the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image(Bytes);

impl Image {
    /// The file.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The media type of the file.
    pub fn media_type(&self) -> &'static str {
        const PNG_SIGNATURE: &[u8] = b"\x89PNG";
        if self.0.starts_with(PNG_SIGNATURE) {
            "image/png"
        } else {
            "image/jpeg"
        }
    }
}

/// Why an image was not taken, or not found.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Not base64, or no picture of a kind that is taken (PNG, JPEG, WebP, GIF).
    #[error("this is no picture in a form that is taken")]
    Invalid,
    /// The file or the picture is larger than what is taken.
    #[error("the picture is too large")]
    TooLarge,
    /// Too many pictures are being worked on.
    #[error("too many pictures wait to be worked on")]
    Busy,
    /// It cannot be got from its URL, or may not.
    #[error("the picture cannot be got from there")]
    Url,
    /// The bucket did not take it, or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The service that keeps images did not take it, or did not answer.
    #[error("the service that keeps images: {0}")]
    Service(#[from] CallError),
}

/// A place for images.
#[async_trait]
pub trait ImageStore: Send + Sync {
    /// Stores an image in place of the one that had the id. Either the old one or the new one is there afterwards.
    ///
    /// # Errors
    /// [`ImageError::Store`], [`ImageError::Service`]
    async fn put(&self, id: &ImageId, image: Image) -> Result<(), ImageError>;

    /// Stores an image unless the id has one. Gives whether it was stored.
    ///
    /// # Errors
    /// As [`ImageStore::put`].
    async fn ensure(&self, id: &ImageId, image: Image) -> Result<bool, ImageError>;

    /// The image of that id.
    ///
    /// # Errors
    /// As [`ImageStore::put`].
    async fn get(&self, id: &ImageId) -> Result<Option<Image>, ImageError>;

    /// Removes the image of that id; no error when there is none.
    ///
    /// # Errors
    /// As [`ImageStore::put`].
    async fn remove(&self, id: &ImageId) -> Result<(), ImageError>;

    /// A URL at which the store itself hands the image out to anybody, for `lifetime_ms` milliseconds; `None` where it
    /// has none to offer.
    ///
    /// # Errors
    /// As [`ImageStore::put`].
    async fn url(&self, id: &ImageId, lifetime_ms: u64) -> Result<Option<String>, ImageError>;
}
