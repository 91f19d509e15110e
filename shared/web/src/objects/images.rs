//! Methods of [`Context`] and [`Session`] for the images of records: take them from requests, store them, and link to them. If an image
//! fails, its record is stored without it.

use bespoke_core::Timestamp;
use bespoke_core::entity::image::ImageId;
use bespoke_core::entity::user::User;
use bespoke_database::{Db, leftovers, users};
use bespoke_services::images::{Image, ImageError, prepare, prepare_file};
use serde_json::Value;

use crate::auth::Caller;
use crate::body::JsonObject;
use crate::response::{Error, Result};
use crate::state::{Context, Session};

/// The request field with an image.
const FIELD: &str = "img";
/// The interval at which the signatures of image links change, in milliseconds. A response with a link stays the same during the interval,
/// and a link is valid for at least this time.
const LINK_STEP_MS: i64 = 60 * 60 * 1000;

/// `Retry-After` if the image service fails, in seconds.
const RETRY_AFTER_S: u64 = 5;

/// The image of a request, or the reason why it was rejected; `None` if the request contains none.
pub type UploadedImage = Option<Result<Image, ImageError>>;

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
    /// Returns the URL of the image `img` of a record. For a private record, the URL is signed. `None` if the record has no image of its own.
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

    /// The expiry of a signed link that is created now.
    fn link_end(&self) -> Timestamp {
        let now = self.now().as_millis();
        Timestamp::from_millis(now - now.rem_euclid(LINK_STEP_MS) + 2 * LINK_STEP_MS)
    }
}

impl Session {
    /// Decodes an image from a data URI or from base64, on a blocking thread.
    ///
    /// # Errors
    /// [`ImageError`] if the image is invalid or too large.
    pub async fn prepare_image(&self, text: String) -> Result<Image, ImageError> {
        let prepared = self.compute(move |_| prepare(&text)).await;
        prepared.unwrap_or(Err(ImageError::Busy))
    }

    /// Fetches and decodes an image from a URL.
    ///
    /// # Errors
    /// [`ImageError`] if the image cannot be fetched, is invalid or too large.
    pub async fn fetch_image(&self, url: &str) -> Result<Image, ImageError> {
        let file = self.fetcher().fetch(url).await?;
        let prepared = self.compute(move |_| prepare_file(&file)).await;
        prepared.unwrap_or(Err(ImageError::Busy))
    }

    /// Removes the image from the fields of a request and decodes it: a data URI, base64, or a URL. Its size counts for the next write of the
    /// caller. Only for routes with authentication, because it fetches URLs.
    pub async fn take_image(&self, body: &mut JsonObject) -> UploadedImage {
        let image = match body.remove(FIELD)? {
            Value::Null => return None,
            // Clients send complete records back, with the id of the image that the record has.
            Value::String(id) if self.is_image_id(&id) => return None,
            Value::String(url) if url.starts_with("http") => self.fetch_image(&url).await,
            Value::String(text) => self.prepare_image(text).await,
            _ => Err(ImageError::Invalid),
        };
        if let Ok(image) = &image {
            self.add_object_bytes(image.bytes().len() as u64);
        }
        Some(image)
    }

    /// Whether a text is the id of an image, or the name of a default image.
    fn is_image_id(&self, text: &str) -> bool {
        let config = self.config();
        let defaults = [
            &config.default_set_image,
            &config.default_pattern_image,
            &config.default_option_pack_image,
        ];
        ImageId::parse(text).is_some() || defaults.into_iter().any(|default| default == text)
    }

    /// Stores the image of a request after its record has been stored: first the object, and then its id in the record, with `refer`.
    ///
    /// `refer` returns whether the record still exists. If it was deleted meanwhile, the image is deleted, too. If the image cannot be stored,
    /// this adds `img` to `ignored`, and the record and its previous image stay unchanged.
    pub async fn save_image(
        &self,
        image: UploadedImage,
        id: ImageId,
        ignored: &mut Vec<String>,
        refer: impl Fn(&Db<'_>, &str) -> Result<bool> + Send + Sync + 'static,
    ) {
        let Some(image) = image else { return };
        let stored = match image {
            Ok(image) => self.store_image(image, id, refer).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = stored {
            tracing::info!(code = error.code(), "an image was rejected or could not be stored");
            ignored.push(FIELD.to_owned());
        }
    }

    /// Stores the picture that an OAuth provider has of the owner of a new account. A failure does not affect the account.
    pub async fn save_provider_picture(&self, url: Option<String>, user: &User) {
        let Some(url) = url else { return };
        let picture = Some(self.fetch_image(&url).await);
        self.save_account_image(picture, user, &mut Vec::new()).await;
    }

    /// Whether there may be an image with that id. Also true if the image service does not respond, so that no image is replaced by mistake.
    pub async fn may_have_image(&self, id: &ImageId) -> bool {
        !matches!(self.images().get(id).await, Ok(None))
    }

    /// Stores the image of an account, as [`Session::save_image`].
    pub async fn save_account_image(&self, image: UploadedImage, user: &User, ignored: &mut Vec<String>) {
        let (id, image_id) = (user.account_status.id, ImageId::Account(user.ihash.clone()));
        let refer = move |db: &Db<'_>, _: &str| Ok(users::account_status(db, id)?.is_some());
        self.save_image(image, image_id, ignored, refer).await;
    }

    async fn store_image(
        &self,
        image: Image,
        id: ImageId,
        refer: impl Fn(&Db<'_>, &str) -> Result<bool> + Send + Sync + 'static,
    ) -> Result<()> {
        self.images().put(&id, image).await?;
        let name = id.to_string();
        let settle = self.write(move |db| {
            let has_record = refer(db, &name)?;
            if !has_record {
                leftovers::insert_image(db, &id)?;
            }
            Ok(has_record)
        });
        if settle.await? {
            return Ok(());
        }
        self.remove_leftovers().await;
        Err(Error::not_found())
    }
}

impl<const LEVEL: u8> Caller<LEVEL> {
    /// Returns the image that a repeat of a request under an `Idempotency-Key` still has to store. If the record has an image, it is none,
    /// because that image may be newer. Otherwise this counts the bytes of the image, because the commit that created the record is not
    /// repeated.
    ///
    /// # Errors
    /// The errors of [`Caller::write`].
    pub async fn image_of_repeat(
        &self,
        session: &Session,
        image: UploadedImage,
        has_image: bool,
    ) -> Result<UploadedImage> {
        match image {
            Some(Ok(_)) if has_image => return Ok(None),
            Some(Ok(ref image)) => {
                session.add_object_bytes(image.bytes().len() as u64);
                self.write(session, |_, _| Ok(())).await?;
            }
            Some(Err(_)) | None => {}
        }
        Ok(image)
    }
}
