//! Secrets of API keys: `fsk_`, 43 random base62 characters (256 bits), 6 base62 characters of CRC-32.
//!
//! The prefix makes a leaked one easy to find; the checksum refuses a mistyped or truncated one before any look at the
//! database. The random part needs no password hash: what is stored is its SHA-256, compared in constant time.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Random;

const PREFIX: &str = "fsk_";
const RANDOM_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;
const SECRET_CHARS: usize = PREFIX.len() + RANDOM_CHARS + CHECKSUM_CHARS;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A text that is no secret of ours: mistyped, cut short, or of another kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("this is no API key secret")]
pub struct SecretError;

/// A well-formed secret. Shown once, when the key is made; never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySecret(String);

impl KeySecret {
    /// Makes a new secret.
    pub fn generate(random: &dyn Random) -> Self {
        // 248 = 4 * 62: a byte below it gives each character the same chance; others are drawn again.
        const FAIR_BYTES: u8 = 248;
        let mut text = String::with_capacity(SECRET_CHARS);
        text.push_str(PREFIX);
        while text.len() < PREFIX.len() + RANDOM_CHARS {
            let [byte] = random.bytes();
            if byte < FAIR_BYTES {
                text.push(char::from(BASE62[usize::from(byte % 62)]));
            }
        }
        text.push_str(&checksum(&text));
        Self(text)
    }

    /// Reads a secret as a client sent it.
    ///
    /// # Errors
    /// [`SecretError`] when length, prefix, characters or checksum are not those of a secret.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let well_formed = text.len() == SECRET_CHARS
            && text.starts_with(PREFIX)
            && text[PREFIX.len()..].bytes().all(|byte| byte.is_ascii_alphanumeric())
            && text[SECRET_CHARS - CHECKSUM_CHARS..] == checksum(&text[..SECRET_CHARS - CHECKSUM_CHARS]);
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(SecretError)
        }
    }

    /// The secret itself, for the one answer that shows it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub fn digest(&self) -> SecretDigest {
        SecretDigest(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(fsk_..)")
    }
}

/// SHA-256 of a secret, as stored.
#[derive(Debug, Clone, Copy)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// A digest as it was stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this is the digest of that secret; takes the same time wherever they differ.
    pub fn matches(&self, secret: &KeySecret) -> bool {
        self.0.ct_eq(&secret.digest().0).into()
    }
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|&digit| char::from(digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::testing::Counting;

    #[test]
    fn a_new_secret_reads_back_and_matches_its_digest_only() {
        let random = Counting::default();
        let (one, two) = (KeySecret::generate(&random), KeySecret::generate(&random));
        assert_eq!(KeySecret::parse(one.expose()), Ok(one.clone()));
        assert_ne!(one, two);
        assert!(one.digest().matches(&one));
        assert!(!one.digest().matches(&two));
        assert!(!format!("{one:?}").contains(&one.expose()[4..]));
    }

    #[test]
    fn one_wrong_missing_or_extra_character_is_noticed() {
        let secret = KeySecret::generate(&Counting::default());
        let text = secret.expose();
        for position in 0..text.len() {
            let wrong = if text.as_bytes()[position] == b'x' { "y" } else { "x" };
            let mut changed = text.to_owned();
            changed.replace_range(position..=position, wrong);
            assert_eq!(KeySecret::parse(&changed), Err(SecretError), "{changed}");
            assert_eq!(KeySecret::parse(&text[..position]), Err(SecretError));
        }
        for other in [
            format!("{text}0"),
            format!(" {text}"),
            "é".repeat(26) + "x",
            String::new(),
        ] {
            assert_eq!(KeySecret::parse(&other), Err(SecretError));
        }
    }
}
