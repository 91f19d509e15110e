//! Secrets of API keys: `fsk_`, 43 random base62 characters (256 bits), 6 base62 characters of CRC-32.
//!
//! The prefix makes a leaked one easy to find; the checksum refuses a mistyped or truncated one before any look at the
//! database. The random part needs no password hash: what is stored is its SHA-256, compared in constant time.
//!
//! Secrets of the original, 64 hexadecimal digits, are taken too. What was moved in of those is a password hash, which is verified
//! once and then replaced.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{ImportedHash, Random};

const PREFIX: &str = "fsk_";
const RANDOM_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;
const SECRET_CHARS: usize = PREFIX.len() + RANDOM_CHARS + CHECKSUM_CHARS;
/// Length of a secret of the original: 32 random bytes as hexadecimal digits.
const IMPORTED_CHARS: usize = 64;
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
        if well_formed || is_of_the_original(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(SecretError)
        }
    }

    /// Whether the original made it.
    pub fn is_imported(&self) -> bool {
        is_of_the_original(&self.0)
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

/// What is stored of a secret.
#[derive(Debug, Clone)]
pub enum StoredSecret {
    /// Its SHA-256.
    Digest(SecretDigest),
    /// What the original stored, until the key is first used.
    Imported(ImportedHash),
}

impl StoredSecret {
    /// Reads what [`Self::to_bytes`] gave; `None` for anything else.
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

    /// Whether this is the digest of that secret. What was moved in matches none before it has been replaced by a digest: to
    /// verify it costs too much to be done at any moment.
    pub fn matches(&self, secret: &KeySecret) -> bool {
        matches!(self, Self::Digest(digest) if digest.matches(secret))
    }
}

impl From<SecretDigest> for StoredSecret {
    fn from(digest: SecretDigest) -> Self {
        Self::Digest(digest)
    }
}

fn is_of_the_original(text: &str) -> bool {
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
    fn a_secret_of_the_original_matches_only_as_a_digest() {
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
