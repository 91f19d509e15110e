//! [`Image`]: a picture that is ready to be stored, [`ImageError`], and [`ImageStore`], the interface of the stores of images.

use async_trait::async_trait;
use bespoke_core::entity::image::ImageId;
use bespoke_storage::StoreError;
use bytes::Bytes;

use crate::http::CallError;

/// A picture that is ready to be stored, or that was read from the store: a JPEG, or a PNG if it has transparency.
/// Only `prepare` and the store create values of this type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image(pub(super) Bytes);

impl Image {
    /// Returns the file.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Returns the media type of the file.
    pub fn media_type(&self) -> &'static str {
        const PNG_SIGNATURE: &[u8] = b"\x89PNG";
        if self.0.starts_with(PNG_SIGNATURE) {
            "image/png"
        } else {
            "image/jpeg"
        }
    }
}

/// The reason why an image was rejected or not found.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Not base64, or not a picture of a supported kind (PNG, JPEG, WebP, GIF).
    #[error("this is not a picture in a supported format")]
    Invalid,
    /// The file or the picture exceeds a limit.
    #[error("the picture is too large")]
    TooLarge,
    /// Too many pictures are being processed.
    #[error("too many pictures are being processed")]
    Busy,
    /// The URL is not allowed, or could not be fetched.
    #[error("the picture cannot be fetched from this URL")]
    Url,
    /// The bucket failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The service that stores the images failed.
    #[error("the image service: {0}")]
    Service(#[from] CallError),
}

/// A store of images.
#[async_trait]
pub trait ImageStore: Send + Sync {
    /// Stores an image and replaces an older one of that id. If it fails, either the old or the new image remains.
    ///
    /// # Errors
    /// [`ImageError::Store`], [`ImageError::Service`]
    async fn put(&self, id: &ImageId, image: Image) -> Result<(), ImageError>;

    /// Stores an image unless the id has one. Returns whether it was stored.
    ///
    /// # Errors
    /// As [`ImageStore::put`].
    async fn ensure(&self, id: &ImageId, image: Image) -> Result<bool, ImageError>;

    /// Returns the image of that id.
    ///
    /// # Errors
    /// As [`ImageStore::put`].
    async fn get(&self, id: &ImageId) -> Result<Option<Image>, ImageError>;

    /// Removes the image of that id. Succeeds if there is none.
    ///
    /// # Errors
    /// As [`ImageStore::put`].
    async fn remove(&self, id: &ImageId) -> Result<(), ImageError>;

    /// Returns the ids of all images that were stored before that time, in milliseconds since 1970. Empty if the store
    /// cannot list its images with their times.
    ///
    /// # Errors
    /// As [`ImageStore::put`].
    async fn stored_before(&self, unix_ms: u64) -> Result<Vec<ImageId>, ImageError>;

    /// Returns a URL at which all clients can fetch the image from the store for `lifetime_ms` milliseconds; `None` if
    /// the store has no such URLs.
    ///
    /// # Errors
    /// As [`ImageStore::put`].
    async fn url(&self, id: &ImageId, lifetime_ms: u64) -> Result<Option<String>, ImageError>;
}
