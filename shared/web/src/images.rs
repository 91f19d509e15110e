//! The images of records: taken from a request, kept, referred to, removed. An image that fails never loses the record
//! that it came with.

use bespoke_core::Timestamp;
use bespoke_core::entity::image::ImageId;
use bespoke_database::Db;
use bespoke_services::images::{Image, ImageError, prepare, prepare_file};
use serde_json::Value;

use crate::{Context, Error, JsonObject, Result, Session};

/// The field of a request that has an image.
const FIELD: &str = "img";
/// Signed links to images change once in this time, so that an answer with one in it stays the same meanwhile, and work
/// at least that long. In milliseconds.
const LINK_STEP_MS: i64 = 60 * 60 * 1000;

/// Seconds after which a service that keeps images may be better.
const RETRY_AFTER_S: u64 = 5;

/// An image that came with a request, or why it cannot be taken; `None` when none was sent.
pub type SentImage = Option<Result<Image, ImageError>>;

impl From<ImageError> for Error {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Invalid => Self::bad_request("imgInvalid"),
            ImageError::TooLarge => Self::bad_request("imgTooLarge"),
            ImageError::Busy => Self::unavailable(1, error),
            ImageError::Url => Self::bad_request("imgUnreachable"),
            ImageError::Store(error) => error.into(),
            ImageError::Service(error) => Self::unavailable(RETRY_AFTER_S, error),
        }
    }
}

impl Context {
    /// Makes a picture of a data URI, or of bare base64, on a thread where it holds nobody up.
    ///
    /// # Errors
    /// [`ImageError`] when it is none that can be taken.
    pub async fn prepare_image(&self, text: String) -> Result<Image, ImageError> {
        let prepared = self.compute(move |_| prepare(&text)).await;
        prepared.unwrap_or(Err(ImageError::Busy))
    }

    /// Fetches a picture from its URL, and makes one that can be stored of it.
    ///
    /// # Errors
    /// [`ImageError`] when it is none that can be taken, or cannot be got.
    pub async fn fetch_image(&self, url: &str) -> Result<Image, ImageError> {
        let file = self.fetcher().fetch(url).await?;
        let prepared = self.compute(move |_| prepare_file(&file)).await;
        prepared.unwrap_or(Err(ImageError::Busy))
    }

    /// Where everybody who may see the record gets its image, that `img` names: signed where the record is private. `None`
    /// when it has none of its own.
    pub fn image_url(&self, img: Option<&str>, public: bool) -> Option<String> {
        let id = ImageId::parse(img?)?;
        let path = format!("/images/{id}");
        let path = if public {
            path
        } else {
            self.links().sign(&path, self.link_end())
        };
        Some(format!("{}{path}", self.config().url))
    }

    fn link_end(&self) -> Timestamp {
        let now = self.now().as_millis();
        Timestamp::from_millis(now - now.rem_euclid(LINK_STEP_MS) + 2 * LINK_STEP_MS)
    }
}

impl Session {
    /// Takes the image out of a request of a caller with an account: a data URI, bare base64, or a URL. It counts as part of the next
    /// write of the caller.
    pub async fn take_image(&self, body: &mut JsonObject) -> SentImage {
        let image = match body.remove(FIELD)? {
            Value::Null => return None,
            Value::String(url) if url.starts_with("http") => self.fetch_image(&url).await,
            Value::String(text) => self.prepare_image(text).await,
            _ => Err(ImageError::Invalid),
        };
        if let Ok(image) = &image {
            self.note_object(image.bytes().len() as u64);
        }
        Some(image)
    }

    /// Keeps an image that came with a request, once its record is stored: first the image, then, by `refer`, that the
    /// record has it (its argument is the id of the image). Adds `img` to what was not taken when that fails; the record
    /// and the image that it had are as they were.
    pub async fn keep_image(
        &self,
        sent: SentImage,
        id: ImageId,
        ignored: &mut Vec<String>,
        refer: impl Fn(&Db<'_>, &str) -> Result<()> + Send + Sync + 'static,
    ) {
        let Some(image) = sent else { return };
        let kept = match image {
            Ok(image) => self.store_image(image, id, refer).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = kept {
            tracing::info!(code = error.code(), "an image was not taken");
            ignored.push(FIELD.to_owned());
        }
    }

    /// Gives an account the picture that somebody else knows of its owner. Whatever goes wrong, the account is made.
    pub async fn take_picture(&self, url: Option<String>, ihash: String) {
        let Some(url) = url else { return };
        let picture = Some(self.fetch_image(&url).await);
        self.keep_image(picture, ImageId::Account(ihash), &mut Vec::new(), |_, _| Ok(()))
            .await;
    }

    async fn store_image(
        &self,
        image: Image,
        id: ImageId,
        refer: impl Fn(&Db<'_>, &str) -> Result<()> + Send + Sync + 'static,
    ) -> Result<()> {
        self.images().put(&id, image).await?;
        let name = id.to_string();
        self.write(move |db| refer(db, &name)).await
    }
}
