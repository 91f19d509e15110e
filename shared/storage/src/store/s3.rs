//! [`S3Store`]: a store in a bucket of S3, or of a compatible server whose conditional PUT is atomic.
//!
//! GET, LIST and DELETE are retried a few times if their response is lost. A PUT is not retried, because only the
//! caller can find out whether it took effect.

mod connect;
mod errors;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::{ByteStream, DateTime, DateTimeFormat};
use bytes::Bytes;

pub use connect::S3Settings;

use self::errors::{FOREIGN_ETAG, RANGE_AFTER_END, status_of, store_error};
use super::{ETag, Fetched, Listed, Object, ObjectStore, PutCondition, StoreError, check_key};

const NOT_MODIFIED: u16 = 304;
const NOT_FOUND: u16 = 404;

/// Objects in a bucket, below a prefix.
#[derive(Clone)]
pub struct S3Store {
    /// The client that retries requests.
    retrying: Client,
    /// The client that does not retry requests.
    once: Client,
    bucket: String,
    /// Empty, or with a slash at its end.
    prefix: String,
}

impl S3Store {
    /// Creates the clients for a bucket. No request is sent yet.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if neither a region nor an endpoint is set.
    pub fn open(settings: S3Settings) -> Result<Self, StoreError> {
        let (retrying, once) = connect::clients(&settings.aws)?;
        let prefix = match settings.prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Ok(Self {
            retrying,
            once,
            bucket: settings.bucket,
            prefix,
        })
    }

    fn key(&self, key: &str) -> Result<String, StoreError> {
        check_key(key)?;
        Ok(format!("{}{key}", self.prefix))
    }

    async fn fetch(
        &self,
        key: &str,
        range: Option<String>,
        if_none_match: Option<&ETag>,
    ) -> Result<Fetched, StoreError> {
        let date = Date::default();
        let request = self.retrying.get_object().bucket(&self.bucket).key(self.key(key)?);
        let request = request
            .set_range(range)
            .set_if_none_match(if_none_match.map(text_of).transpose()?);
        match request.customize().interceptor(date.clone()).send().await {
            Ok(response) => {
                let (etag, modified) = (response.e_tag().map(str::to_owned), response.last_modified().copied());
                // If the connection breaks during the body, the outcome of the GET is unknown.
                let body = response.body.collect().await;
                let body = body
                    .map_err(|error| StoreError::Unknown(error.to_string()))?
                    .into_bytes();
                Ok(Fetched::Found(object_of(etag, modified, body, date.ms()?)?))
            }
            Err(error) => match (status_of(&error), store_error(&self.bucket, &error)) {
                (Some(NOT_MODIFIED), _) => Ok(Fetched::NotModified { date_ms: date.ms()? }),
                (Some(NOT_FOUND), StoreError::PreconditionFailed) => Ok(Fetched::Missing),
                (_, error) => Err(error),
            },
        }
    }

    /// Gets an object without its body.
    async fn fetch_metadata(&self, key: &str) -> Result<Fetched, StoreError> {
        let date = Date::default();
        let request = self.retrying.head_object().bucket(&self.bucket).key(self.key(key)?);
        match request.customize().interceptor(date.clone()).send().await {
            Ok(response) => {
                let (etag, modified) = (response.e_tag().map(str::to_owned), response.last_modified().copied());
                Ok(Fetched::Found(object_of(etag, modified, Bytes::new(), date.ms()?)?))
            }
            Err(error) => match (status_of(&error), store_error(&self.bucket, &error)) {
                (Some(NOT_FOUND), _) => Ok(Fetched::Missing),
                (_, error) => Err(error),
            },
        }
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn get(&self, key: &str, if_none_match: Option<&ETag>) -> Result<Fetched, StoreError> {
        self.fetch(key, None, if_none_match).await
    }

    async fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Fetched, StoreError> {
        let Some(last) = length.checked_sub(1) else {
            return self.fetch_metadata(key).await;
        };
        let range = format!("bytes={offset}-{}", offset.saturating_add(last));
        match self.fetch(key, Some(range), None).await {
            Err(StoreError::Refused(detail)) if detail == RANGE_AFTER_END => self.fetch_metadata(key).await,
            other => other,
        }
    }

    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, StoreError> {
        let put = self.once.put_object().bucket(&self.bucket).key(self.key(key)?);
        let put = match &condition {
            PutCondition::None => put,
            PutCondition::CreateOnly => put.if_none_match("*"),
            PutCondition::Match(etag) => put.if_match(text_of(etag)?),
        };
        match put.body(ByteStream::from(body)).send().await {
            Ok(response) => etag_of(response.e_tag().map(str::to_owned)),
            Err(error) => Err(store_error(&self.bucket, &error)),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let delete = self.retrying.delete_object().bucket(&self.bucket).key(self.key(key)?);
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(error) => match store_error(&self.bucket, &error) {
                StoreError::PreconditionFailed => Ok(()),
                other => Err(other),
            },
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let list = self.retrying.list_objects_v2().bucket(&self.bucket);
        let mut pages = list.prefix(format!("{}{prefix}", self.prefix)).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| store_error(&self.bucket, &error))?;
            for line in page.contents() {
                let Some(key) = line.key().and_then(|key| key.strip_prefix(&self.prefix)) else {
                    continue;
                };
                found.push(Listed {
                    key: key.to_owned(),
                    bytes: line.size().map_or(0, |bytes| u64::try_from(bytes).unwrap_or(0)),
                    last_modified_ms: ms_of(line.last_modified())?,
                });
            }
        }
        // Some servers list in another order.
        found.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(found)
    }

    async fn presigned_get(&self, key: &str, lifetime_ms: u64) -> Result<Option<String>, StoreError> {
        let refused = |error: &dyn std::error::Error| StoreError::Refused(error.to_string());
        let lifetime = PresigningConfig::expires_in(Duration::from_millis(lifetime_ms)).map_err(|e| refused(&e))?;
        let get = self.once.get_object().bucket(&self.bucket).key(self.key(key)?);
        match get.presigned(lifetime).await {
            Ok(request) => Ok(Some(request.uri().to_owned())),
            Err(error) => Err(store_error(&self.bucket, &error)),
        }
    }
}

/// Records the header `Date`, which the SDK ignores.
#[derive(Debug, Clone, Default)]
struct Date(Arc<AtomicU64>);

impl Date {
    /// Returns the recorded time in milliseconds since 1970.
    fn ms(&self) -> Result<u64, StoreError> {
        match self.0.load(Ordering::Relaxed) {
            0 => Err(StoreError::Refused(
                "the bucket's responses have no `Date`: a proxy between it and this process removes it".to_owned(),
            )),
            ms => Ok(ms),
        }
    }
}

impl Intercept for Date {
    fn name(&self) -> &'static str {
        "Date"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date")
            && let Ok(date) = DateTime::from_str(date, DateTimeFormat::HttpDate)
            && let Ok(ms) = ms_of(Some(&date))
        {
            self.0.store(ms, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn object_of(
    etag: Option<String>,
    modified: Option<DateTime>,
    body: Bytes,
    date_ms: u64,
) -> Result<Object, StoreError> {
    Ok(Object {
        etag: etag_of(etag)?,
        body,
        date_ms,
        last_modified_ms: ms_of(modified.as_ref())?,
    })
}

fn etag_of(etag: Option<String>) -> Result<ETag, StoreError> {
    etag.map(ETag::new)
        .ok_or_else(|| StoreError::Refused("the bucket gives its objects no ETag: use another".to_owned()))
}

/// Returns an ETag as the server sent it, with its quotes.
fn text_of(etag: &ETag) -> Result<String, StoreError> {
    let text = std::str::from_utf8(etag.as_bytes());
    text.map(str::to_owned)
        .map_err(|_| StoreError::Refused(FOREIGN_ETAG.to_owned()))
}

fn ms_of(moment: Option<&DateTime>) -> Result<u64, StoreError> {
    let ms = moment.and_then(|moment| u64::try_from(moment.to_millis().ok()?).ok());
    ms.ok_or_else(|| StoreError::Refused("the bucket does not say when an object was put: use another".to_owned()))
}
