//! [`Place`]: the location of a bucket, as an operator writes it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use super::{DirectoryStore, Fetched, ObjectStore, S3Settings, S3Store, StoreError, check_key};
use crate::aws::Aws;
use crate::format::keys::HEAD_KEY;

const DIRECTORY: &str = "dir:";
const S3: &str = "s3://";

/// A location: `dir:<folder>`, or `s3://<bucket>/<prefix>` with an optional prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A folder of this machine.
    Directory(PathBuf),
    /// A bucket of S3.
    S3 {
        /// Name of the bucket.
        bucket: String,
        /// Prefix of all keys. It may be empty.
        prefix: String,
    },
}

impl Place {
    /// Opens the store. `aws` has the settings for S3.
    ///
    /// # Errors
    /// [`StoreError`] if the folder or the settings cannot be used. No request is sent to a bucket yet.
    pub fn open(&self, aws: &Aws) -> Result<Arc<dyn ObjectStore>, StoreError> {
        match self {
            Self::Directory(folder) => Ok(Arc::new(DirectoryStore::open(folder)?)),
            Self::S3 { bucket, prefix } => {
                let settings = S3Settings {
                    bucket: bucket.clone(),
                    prefix: prefix.clone(),
                    aws: aws.clone(),
                };
                Ok(Arc::new(S3Store::open(settings)?))
            }
        }
    }

    /// Returns whether the store contains a database. It creates nothing, unlike [`Place::open`].
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be opened or does not respond.
    pub async fn has_database(&self, aws: &Aws) -> Result<bool, StoreError> {
        if let Self::Directory(folder) = self
            && let Ok(false) = folder.join(HEAD_KEY).try_exists()
        {
            return Ok(false);
        }
        Ok(!matches!(self.open(aws)?.get(HEAD_KEY, None).await?, Fetched::Missing))
    }
}

/// The text is not a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("takes `dir:` and a folder, or `s3://` and a bucket, perhaps with `/` and a prefix")]
pub struct PlaceError;

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if let Some(folder) = text.strip_prefix(DIRECTORY)
            && !folder.is_empty()
        {
            return Ok(Self::Directory(folder.into()));
        }
        let place = text.strip_prefix(S3).ok_or(PlaceError)?;
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = prefix.trim_end_matches('/');
        let is_valid = |text: &str| check_key(text).is_ok();
        if !is_valid(bucket) || !(prefix.is_empty() || is_valid(prefix)) {
            return Err(PlaceError);
        }
        Ok(Self::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(folder) => write!(f, "{DIRECTORY}{}", folder.display()),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "{S3}{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "{S3}{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_is_parsed_and_written() {
        for text in [
            "dir:/var/lib/bespoke",
            "dir:objects",
            "s3://a-bucket",
            "s3://a-bucket/deep/prefix",
        ] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        assert_eq!("s3://bucket/".parse(), "s3://bucket".parse::<Place>());
        for text in [
            "",
            "dir:",
            "s3://",
            "s3:///a",
            "s3://bucket//a",
            "s3://buck et",
            "s3://b/../c",
            "ftp://bucket",
            "bucket",
        ] {
            assert_eq!(text.parse::<Place>(), Err(PlaceError), "{text}");
        }
    }
}
