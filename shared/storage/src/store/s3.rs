//! A store in a bucket of S3, or of anything that speaks its protocol and whose conditional PUT is atomic.
//!
//! GET, LIST and DELETE are repeated a few times where an answer fails to come; a PUT never is: whether it took effect is for
//! the caller to find out, who knows what it meant.

mod connect;
mod judge;

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

use self::judge::{BAD_REQUEST, RANGE_BEHIND_END, judge, status_of};
use super::{ETag, Fetched, Listed, Object, ObjectStore, PutCondition, StoreError, check_key};

const NOT_MODIFIED: u16 = 304;
const NOT_FOUND: u16 = 404;

/// Objects in a bucket, below a prefix.
#[derive(Clone)]
pub struct S3Store {
    /// Repeats what is safe to repeat.
    patient: Client,
    /// Repeats nothing.
    once: Client,
    bucket: String,
    /// Empty, or ends with a slash.
    prefix: String,
}

impl S3Store {
    /// Prepares for the bucket that `settings` name. Sends nothing yet.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where no region is set.
    pub fn open(settings: S3Settings) -> Result<Self, StoreError> {
        let (patient, once) = connect::clients(&settings.aws)?;
        let prefix = match settings.prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Ok(Self {
            patient,
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
        let ask = self.patient.get_object().bucket(&self.bucket).key(self.key(key)?);
        let ask = ask
            .set_range(range)
            .set_if_none_match(if_none_match.map(text_of).transpose()?);
        match ask.customize().interceptor(date.clone()).send().await {
            Ok(answer) => {
                let (etag, modified) = (answer.e_tag().map(str::to_owned), answer.last_modified().copied());
                // A body that breaks off was not read.
                let body = answer.body.collect().await;
                let body = body
                    .map_err(|error| StoreError::Unknown(error.to_string()))?
                    .into_bytes();
                Ok(Fetched::Found(object_of(etag, modified, body, date.ms()?)?))
            }
            Err(error) => match (status_of(&error), judge(&self.bucket, &error)) {
                (Some(NOT_MODIFIED), _) => Ok(Fetched::NotModified { date_ms: date.ms()? }),
                (Some(NOT_FOUND), StoreError::PreconditionFailed) => Ok(Fetched::Missing),
                (_, error) => Err(error),
            },
        }
    }

    /// An object without its body.
    async fn look(&self, key: &str) -> Result<Fetched, StoreError> {
        let date = Date::default();
        let ask = self.patient.head_object().bucket(&self.bucket).key(self.key(key)?);
        match ask.customize().interceptor(date.clone()).send().await {
            Ok(answer) => {
                let (etag, modified) = (answer.e_tag().map(str::to_owned), answer.last_modified().copied());
                Ok(Fetched::Found(object_of(etag, modified, Bytes::new(), date.ms()?)?))
            }
            Err(error) => match (status_of(&error), judge(&self.bucket, &error)) {
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
            return self.look(key).await;
        };
        let range = format!("bytes={offset}-{}", offset.saturating_add(last));
        match self.fetch(key, Some(range), None).await {
            Err(StoreError::Refused(detail)) if detail == RANGE_BEHIND_END => self.look(key).await,
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
            Ok(answer) => etag_of(answer.e_tag().map(str::to_owned)),
            Err(error) => Err(judge(&self.bucket, &error)),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let delete = self.patient.delete_object().bucket(&self.bucket).key(self.key(key)?);
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(error) => match judge(&self.bucket, &error) {
                StoreError::PreconditionFailed => Ok(()),
                other => Err(other),
            },
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let list = self.patient.list_objects_v2().bucket(&self.bucket);
        let mut pages = list.prefix(format!("{}{prefix}", self.prefix)).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| judge(&self.bucket, &error))?;
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
        // Some buckets list in an order of their own.
        found.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(found)
    }

    async fn presigned_get(&self, key: &str, lifetime_ms: u64) -> Result<Option<String>, StoreError> {
        let refused = |error: &dyn std::error::Error| StoreError::Refused(error.to_string());
        let lifetime = PresigningConfig::expires_in(Duration::from_millis(lifetime_ms)).map_err(|e| refused(&e))?;
        let get = self.once.get_object().bucket(&self.bucket).key(self.key(key)?);
        match get.presigned(lifetime).await {
            Ok(request) => Ok(Some(request.uri().to_owned())),
            Err(error) => Err(judge(&self.bucket, &error)),
        }
    }
}

/// Takes note of `Date`, which the SDK reads past.
#[derive(Debug, Clone, Default)]
struct Date(Arc<AtomicU64>);

impl Date {
    /// Milliseconds since 1970.
    fn ms(&self) -> Result<u64, StoreError> {
        match self.0.load(Ordering::Relaxed) {
            0 => Err(StoreError::Refused(
                "the bucket's answers carry no `Date`: something between it and this process removes it".to_owned(),
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

/// An ETag as it came, quotes included.
fn text_of(etag: &ETag) -> Result<String, StoreError> {
    let text = std::str::from_utf8(etag.as_bytes());
    text.map(str::to_owned)
        .map_err(|_| StoreError::Refused(BAD_REQUEST.to_owned()))
}

fn ms_of(moment: Option<&DateTime>) -> Result<u64, StoreError> {
    let ms = moment.and_then(|moment| u64::try_from(moment.to_millis().ok()?).ok());
    ms.ok_or_else(|| StoreError::Refused("the bucket does not say when an object was put: use another".to_owned()))
}
