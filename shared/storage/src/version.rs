//! [`Version`] of the database, [`DatedVersion`] with the time of its commit, and [`VersionRange`].

use std::fmt;
use std::str::FromStr;

/// A version of the database. Later versions are greater. Versions of different epochs belong to different histories,
/// because a restore began the later epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version {
    /// Every restore raises it by one.
    pub epoch: u64,
    /// Every commit raises it by one.
    pub seq: u64,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.seq)
    }
}

/// The text is not `<epoch>-<seq>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a version is written <epoch>-<seq>")]
pub struct VersionError;

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let (epoch, seq) = text.split_once('-').ok_or(VersionError)?;
        let number = |text: &str| {
            let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            digits.and_then(|digits| digits.parse().ok()).ok_or(VersionError)
        };
        Ok(Self {
            epoch: number(epoch)?,
            seq: number(seq)?,
        })
    }
}

/// A version with its commit time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatedVersion {
    /// The version.
    pub version: Version,
    /// Milliseconds since 1970. `None` if it is unknown, and for the first version of a bucket, which is empty.
    pub at_ms: Option<u64>,
}

/// Consecutive versions, each of which can be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionRange {
    /// The earliest version.
    pub first: DatedVersion,
    /// The latest version, of the same epoch.
    pub last: DatedVersion,
}

impl VersionRange {
    pub(crate) fn contains(&self, version: Version) -> bool {
        (self.first.version..=self.last.version).contains(&version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_written_and_parsed() {
        let version = Version { epoch: 2, seq: 17 };
        assert_eq!(version.to_string(), "2-17");
        assert_eq!("2-17".parse(), Ok(version));
        for text in ["217", "2-", "-17", "+2-17", "2-+17", "2--17", "2-17-1", " 2-17"] {
            assert_eq!(text.parse::<Version>(), Err(VersionError), "{text}");
        }
        assert!(version > Version { epoch: 1, seq: 99 });
    }
}
