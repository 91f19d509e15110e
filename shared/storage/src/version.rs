//! Which state of the database something was read from or written as.

use std::fmt;
use std::str::FromStr;

/// A state of the database. Later states are greater; another epoch is another history (after a restore).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version {
    /// Raised by a restore.
    pub epoch: u64,
    /// Raised by every commit.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_and_read() {
        let version = Version { epoch: 2, seq: 17 };
        assert_eq!(version.to_string(), "2-17");
        assert_eq!("2-17".parse(), Ok(version));
        for text in ["217", "2-", "-17", "+2-17", "2-+17", "2--17", "2-17-1", " 2-17"] {
            assert_eq!(text.parse::<Version>(), Err(VersionError), "{text}");
        }
        assert!(version > Version { epoch: 1, seq: 99 });
    }
}
