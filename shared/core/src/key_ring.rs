//! The three keys of an installation, and the keyed index over e-mail addresses.
//!
//! One passphrase (`BACKEND_ENC_KEY`) is enough: HKDF-SHA256 derives a separate key for tokens, for data at rest and
//! for the index, so that none can stand in for another (defect D104). Each can also be given apart.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Length of every key, in bytes.
pub const KEY_BYTES: usize = 32;

/// The shortest passphrase that keys are derived from, in bytes.
pub const MIN_PASSPHRASE_BYTES: usize = 16;

const SALT: &[u8] = b"bespoke/keys/1";

/// One secret key. It never shows itself, not even in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

impl Key {
    /// A key from its bytes.
    pub const fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the one who computes with them.
    pub const fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The key for one purpose that is derived from this one, with HKDF-SHA256.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Self {
        expand(&self.0, purpose)
    }
}

fn expand(secret: &[u8], purpose: &str) -> Key {
    let mut bytes = [0; KEY_BYTES];
    Hkdf::<Sha256>::new(Some(SALT), secret)
        .expand(purpose.as_bytes(), &mut bytes)
        .expect("32 bytes are within what HKDF-SHA256 can give");
    Key(bytes)
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Key material that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a passphrase needs at least {MIN_PASSPHRASE_BYTES} bytes, this one has {0}")]
pub struct KeyError(usize);

/// The keys of one installation.
#[derive(Debug, Clone)]
pub struct KeyRing {
    /// Signs tokens.
    pub token: Key,
    /// Encrypts fields at rest.
    pub data: Key,
    /// Computes the index by which an e-mail address is found.
    pub index: Key,
}

impl KeyRing {
    /// Derives the three keys from one passphrase.
    ///
    /// # Errors
    /// [`KeyError`] when the passphrase is shorter than [`MIN_PASSPHRASE_BYTES`].
    pub fn derive(passphrase: &str) -> Result<Self, KeyError> {
        Ok(Self {
            token: Self::derive_one(passphrase, "token")?,
            data: Self::derive_one(passphrase, "data")?,
            index: Self::derive_one(passphrase, "index")?,
        })
    }

    /// Derives the key for one purpose (`token`, `data` or `index`) from a passphrase of its own.
    ///
    /// # Errors
    /// [`KeyError`] when the passphrase is shorter than [`MIN_PASSPHRASE_BYTES`].
    pub fn derive_one(passphrase: &str, purpose: &str) -> Result<Key, KeyError> {
        if passphrase.len() < MIN_PASSPHRASE_BYTES {
            return Err(KeyError(passphrase.len()));
        }
        Ok(expand(passphrase.as_bytes(), purpose))
    }
}

/// Finds a row by a value that is stored encrypted: HMAC-SHA256 of the value under a key of its own. Unlike the
/// original's bare SHA-256, who reads the database cannot test guesses (defect D57).
#[derive(Clone)]
pub struct BlindIndex(Hmac<Sha256>);

impl BlindIndex {
    /// An index under that key.
    pub fn new(key: &Key) -> Self {
        Self(Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length"))
    }

    /// The index entry of an e-mail address, which is cleaned first (see [`crate::validate::clean_email`]).
    pub fn email(&self, address: &str) -> [u8; 32] {
        self.entry("email", &crate::validate::clean_email(address))
    }

    /// Names a request by all that makes it one; for whoever does not have the key, as good as random.
    pub fn request(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.0.clone();
        mac.update(b"request");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let mut name = [0; 16];
        name.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        name
    }

    /// The index entry of another value of that `domain`.
    pub fn entry(&self, domain: &str, value: &str) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(domain.as_bytes());
        mac.update(&[0]);
        mac.update(value.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_differ_from_each_other_and_between_passphrases() {
        let ring = KeyRing::derive("a passphrase that is long enough").unwrap();
        let other = KeyRing::derive("a passphrase that is long enough!").unwrap();
        assert_ne!(ring.token, ring.data);
        assert_ne!(ring.data, ring.index);
        assert_ne!(ring.token, ring.index);
        assert_ne!(ring.data, other.data);
        assert_eq!(
            ring.data,
            KeyRing::derive_one("a passphrase that is long enough", "data").unwrap()
        );
        assert_eq!(KeyRing::derive("short").unwrap_err(), KeyError(5));
        assert!(!format!("{ring:?}").contains(&format!("{:?}", ring.data.as_bytes()[0])));
    }

    #[test]
    fn requests_are_told_apart_by_each_part() {
        let index = BlindIndex::new(&Key::from_bytes([1; KEY_BYTES]));
        assert_eq!(index.request(&[b"a", b"b"]), index.request(&[b"a", b"b"]));
        assert_ne!(index.request(&[b"a", b"b"]), index.request(&[b"ab", b""]));
        assert_ne!(index.request(&[b"a", b"b"]), index.request(&[b"b", b"a"]));
    }

    #[test]
    fn the_index_sees_through_letter_case_and_blanks_only() {
        let index = BlindIndex::new(&Key::from_bytes([1; KEY_BYTES]));
        assert_eq!(
            index.email("Jane.Doe@Example.com"),
            index.email(" jane.doe@example.com ")
        );
        assert_ne!(index.email("jane.doe@example.com"), index.email("janedoe@example.com"));
        let other = BlindIndex::new(&Key::from_bytes([2; KEY_BYTES]));
        assert_ne!(index.email("jane.doe@example.com"), other.email("jane.doe@example.com"));
    }
}
