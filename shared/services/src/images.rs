//! Images: they are validated, re-encoded without metadata ([`prepare`]), and stored by id at an [`ImagePlace`].

mod bucket;
mod cloudflare;
mod fetch;
mod picture;
mod prepare;
mod sanity;

use std::sync::Arc;

use bespoke_storage::ObjectStore;

use crate::http::Http;

pub use bucket::key;
pub use cloudflare::CloudflareSettings;
pub use fetch::Fetcher;
pub use picture::{Image, ImageError, ImageStore};
pub use prepare::{MAX_SOURCE_BYTES, prepare, prepare_file};
pub use sanity::SanitySettings;

/// The location of the images.
#[derive(Debug, Clone)]
pub enum ImagePlace {
    /// In the bucket, next to the database.
    Bucket,
    /// At Cloudflare Images.
    Cloudflare(CloudflareSettings),
    /// At Sanity.
    Sanity(SanitySettings),
}

/// Opens the store of images.
pub fn store(place: &ImagePlace, bucket: Arc<dyn ObjectStore>, http: Arc<Http>) -> Box<dyn ImageStore> {
    match place.clone() {
        ImagePlace::Bucket => Box::new(bucket::BucketImages::new(bucket)),
        ImagePlace::Cloudflare(settings) => Box::new(cloudflare::CloudflareImages::new(settings, http)),
        ImagePlace::Sanity(settings) => Box::new(sanity::SanityImages::new(settings, http)),
    }
}
