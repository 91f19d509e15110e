//! The images of records: taken from a request, kept, referred to, removed. An image that fails never loses the record
//! that it came with.

use bespoke_core::Timestamp;
use bespoke_core::entity::image::ImageId;
use bespoke_core::entity::user::User;
use bespoke_database::{Db, leftovers, users};
use bespoke_services::images::{Image, ImageError, prepare, prepare_file};
use serde_json::Value;

use crate::{Caller, Context, Error, JsonObject, Result, Session};

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

    /// Stores the image of a request whose record has been stored: first the image, then, by `refer`, the name of the image in the record.
    /// `refer` gets the name and gives whether there still is a record; the image of one that was removed meanwhile is removed too. Adds `img`
    /// to `ignored` if the image cannot be stored; the record and the image that it had are as they were.
    pub async fn keep_image(
        &self,
        sent: SentImage,
        id: ImageId,
        ignored: &mut Vec<String>,
        refer: impl Fn(&Db<'_>, &str) -> Result<bool> + Send + Sync + 'static,
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
    pub async fn take_picture(&self, url: Option<String>, user: &User) {
        let Some(url) = url else { return };
        let picture = Some(self.fetch_image(&url).await);
        self.keep_account_image(picture, user, &mut Vec::new()).await;
    }

    /// Whether there is an image of that id. Also true if the store does not say, so that no image is replaced by mistake.
    pub async fn may_have_image(&self, id: &ImageId) -> bool {
        !matches!(self.images().get(id).await, Ok(None))
    }

    /// Stores the image of an account, as [`Session::keep_image`].
    pub async fn keep_account_image(&self, sent: SentImage, user: &User, ignored: &mut Vec<String>) {
        let (id, image) = (user.standing.id, ImageId::Account(user.ihash.clone()));
        let refer = move |db: &Db<'_>, _: &str| Ok(users::standing(db, id)?.is_some());
        self.keep_image(sent, image, ignored, refer).await;
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
    /// The image that a request under an `Idempotency-Key` still has to store if an earlier one has made its record: none if the record has an
    /// image, which may be newer. Otherwise the image is counted as written here, because the commit that made the record is not repeated.
    ///
    /// # Errors
    /// Those of [`Caller::write`].
    pub async fn image_of_repeat(&self, session: &Session, sent: SentImage, has_image: bool) -> Result<SentImage> {
        match sent {
            Some(Ok(_)) if has_image => return Ok(None),
            Some(Ok(ref image)) => {
                session.note_object(image.bytes().len() as u64);
                self.write(session, |_, _| Ok(())).await?;
            }
            Some(Err(_)) | None => {}
        }
        Ok(sent)
    }
}
