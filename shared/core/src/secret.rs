//! [`KeySecret`]: the secret of an API key: `fsk_`, 43 random base62 characters (256 bits), and 6 base62 characters of CRC-32.
//! [`StoredSecret`] is its stored form.
//!
//! The prefix makes a leaked secret easy to find. The checksum rejects a mistyped or truncated secret without a query. The stored form is
//! the SHA-256 of the secret, which is compared in constant time; a password hash is not necessary, because the secret has 256 random bits.
//!
//! Secrets of the original backend (64 hexadecimal digits) are accepted, too. Their imported form is a password hash, which is replaced by
//! a digest after its first successful verification.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{ImportedHash, Random};

const PREFIX: &str = "fsk_";
const RANDOM_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;
const SECRET_CHARS: usize = PREFIX.len() + RANDOM_CHARS + CHECKSUM_CHARS;
/// Length of an imported secret: 32 random bytes as hexadecimal digits.
const IMPORTED_CHARS: usize = 64;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A malformed secret: mistyped, truncated, or of another kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a secret of an API key")]
pub struct SecretError;

/// A well-formed secret. It is shown once, when the key is created, and never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySecret(String);

impl KeySecret {
    /// Generates a new secret.
    pub fn generate(random: &dyn Random) -> Self {
        // A byte below 248 (4 * 62) selects each character with the same probability. Other bytes are discarded.
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

    /// Parses a secret from a request.
    ///
    /// # Errors
    /// [`SecretError`] if the length, the prefix, a character or the checksum is wrong.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let well_formed = text.len() == SECRET_CHARS
            && text.starts_with(PREFIX)
            && text[PREFIX.len()..].bytes().all(|byte| byte.is_ascii_alphanumeric())
            && text[SECRET_CHARS - CHECKSUM_CHARS..] == checksum(&text[..SECRET_CHARS - CHECKSUM_CHARS]);
        if well_formed || has_imported_format(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(SecretError)
        }
    }

    /// Whether the secret has the format of the original backend.
    pub fn is_imported(&self) -> bool {
        has_imported_format(&self.0)
    }

    /// The secret itself, for the response that shows it once.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The digest to store.
    pub fn digest(&self) -> SecretDigest {
        SecretDigest(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(fsk_..)")
    }
}

/// The SHA-256 of a secret.
#[derive(Debug, Clone, Copy)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// Creates a digest from its stored bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this is the digest of `secret`. Compares in constant time.
    pub fn matches(&self, secret: &KeySecret) -> bool {
        self.0.ct_eq(&secret.digest().0).into()
    }
}

/// The stored form of a secret.
#[derive(Debug, Clone)]
pub enum StoredSecret {
    /// The SHA-256.
    Digest(SecretDigest),
    /// The hash of the original backend, until the key is used for the first time.
    Imported(ImportedHash),
}

impl StoredSecret {
    /// Parses the result of [`Self::to_bytes`]; `None` for other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if let Ok(digest) = bytes.try_into() {
            return Some(Self::Digest(SecretDigest::from_bytes(digest)));
        }
        let text = std::str::from_utf8(bytes).ok()?;
        ImportedHash::parse(text).map(Self::Imported)
    }

    /// The bytes to store.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Digest(digest) => digest.as_bytes().to_vec(),
            Self::Imported(hash) => hash.as_text().as_bytes().to_vec(),
        }
    }

    /// Whether this is the digest of `secret`. An imported hash matches no secret until a digest has replaced it, because its verification
    /// is too slow for a transaction.
    pub fn matches(&self, secret: &KeySecret) -> bool {
        matches!(self, Self::Digest(digest) if digest.matches(secret))
    }
}

impl From<SecretDigest> for StoredSecret {
    fn from(digest: SecretDigest) -> Self {
        Self::Digest(digest)
    }
}

fn has_imported_format(text: &str) -> bool {
    text.len() == IMPORTED_CHARS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
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
    fn new_secret_round_trips_and_matches_only_its_digest() {
        let random = Counting::default();
        let (one, two) = (KeySecret::generate(&random), KeySecret::generate(&random));
        assert_eq!(KeySecret::parse(one.expose()), Ok(one.clone()));
        assert_ne!(one, two);
        assert!(one.digest().matches(&one));
        assert!(!one.digest().matches(&two));
        assert!(!format!("{one:?}").contains(&one.expose()[4..]));
    }

    #[test]
    fn imported_secret_matches_only_as_a_digest() {
        let text = "a3f1c2d4e5b6978812345678900abcdef0123456789abcdefa3f1c2d4e5b6978";
        let secret = KeySecret::parse(text).unwrap();
        assert!(secret.is_imported() && !KeySecret::generate(&Counting::default()).is_imported());
        let digest = StoredSecret::from(secret.digest());
        assert!(StoredSecret::from_bytes(&digest.to_bytes()).unwrap().matches(&secret));
        let hash = format!(r#"{{"type":"v3","hash":"{}","salt":"00"}}"#, "0".repeat(128));
        let imported = StoredSecret::from_bytes(hash.as_bytes()).unwrap();
        assert!(!imported.matches(&secret));
        assert_eq!(imported.to_bytes(), hash.as_bytes());
        assert!(StoredSecret::from_bytes(b"{}").is_none());
        for other in [text.to_uppercase(), text[1..].to_owned(), text.replace('f', "g")] {
            assert_eq!(KeySecret::parse(&other), Err(SecretError));
        }
    }

    #[test]
    fn secret_with_a_wrong_character_is_rejected() {
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
