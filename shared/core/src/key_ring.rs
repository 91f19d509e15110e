//! [`KeyRing`]: the three keys of an installation. [`BlindIndex`]: the hashes by which rows with encrypted values are found.
//!
//! HKDF-SHA256 derives separate keys for tokens, for data at rest and for the index from one passphrase (`BACKEND_ENC_KEY`), so that no key
//! serves two purposes. Each key can also have its own passphrase.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Length of a key, in bytes.
pub const KEY_BYTES: usize = 32;

/// Minimum length of a passphrase, in bytes.
pub const MIN_PASSPHRASE_BYTES: usize = 16;

const SALT: &[u8] = b"bespoke/keys/1";

/// A secret key. Its debug output does not contain the key.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

impl Key {
    /// Creates a key from its bytes.
    pub const fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes of the key, for cryptographic functions.
    pub const fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Derives a key for another purpose with HKDF-SHA256.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Self {
        expand(&self.0, purpose)
    }
}

fn expand(secret: &[u8], purpose: &str) -> Key {
    let mut bytes = [0; KEY_BYTES];
    Hkdf::<Sha256>::new(Some(SALT), secret)
        .expand(purpose.as_bytes(), &mut bytes)
        .expect("HKDF-SHA256 supports 32 bytes");
    Key(bytes)
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// A passphrase that is too short.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a passphrase must have at least {MIN_PASSPHRASE_BYTES} bytes, this one has {0}")]
pub struct KeyError(usize);

/// The keys of one installation.
#[derive(Debug, Clone)]
pub struct KeyRing {
    /// Signs tokens.
    pub token: Key,
    /// Encrypts fields at rest.
    pub data: Key,
    /// Computes the index of e-mail addresses.
    pub index: Key,
}

impl KeyRing {
    /// Derives the three keys from one passphrase.
    ///
    /// # Errors
    /// [`KeyError`] if the passphrase is shorter than [`MIN_PASSPHRASE_BYTES`].
    pub fn derive(passphrase: &str) -> Result<Self, KeyError> {
        Ok(Self {
            token: Self::derive_one(passphrase, "token")?,
            data: Self::derive_one(passphrase, "data")?,
            index: Self::derive_one(passphrase, "index")?,
        })
    }

    /// Derives the key for one purpose (`token`, `data` or `index`) from its own passphrase.
    ///
    /// # Errors
    /// [`KeyError`] if the passphrase is shorter than [`MIN_PASSPHRASE_BYTES`].
    pub fn derive_one(passphrase: &str, purpose: &str) -> Result<Key, KeyError> {
        if passphrase.len() < MIN_PASSPHRASE_BYTES {
            return Err(KeyError(passphrase.len()));
        }
        Ok(expand(passphrase.as_bytes(), purpose))
    }
}

/// A blind index: finds a row by a value that is stored encrypted. An entry is the HMAC-SHA256 of the value. It needs a key, because an
/// attacker with a copy of the database could otherwise test guesses.
#[derive(Clone)]
pub struct BlindIndex(Hmac<Sha256>);

impl BlindIndex {
    /// Creates an index with that key.
    pub fn new(key: &Key) -> Self {
        Self(Hmac::new_from_slice(key.as_bytes()).expect("HMAC accepts a key of any length"))
    }

    /// Returns the entry of an e-mail address, after normalizing it with [`crate::validate::clean_email`].
    pub fn email(&self, address: &str) -> [u8; 32] {
        self.email_form(&crate::validate::clean_email(address))
    }

    /// Returns the entry of an e-mail address in exactly this form, because rows of earlier releases may contain another form of it.
    pub fn email_form(&self, address: &str) -> [u8; 32] {
        self.entry("email", address)
    }

    /// Returns an id that is derived from the parts of a request. Without the key, the id is indistinguishable from a random one.
    pub fn request(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.0.clone();
        mac.update(b"request");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        id
    }

    /// Returns the entry of another value. `domain` separates the kinds of values.
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
    fn derived_keys_differ() {
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
    fn request_id_depends_on_each_part() {
        let index = BlindIndex::new(&Key::from_bytes([1; KEY_BYTES]));
        assert_eq!(index.request(&[b"a", b"b"]), index.request(&[b"a", b"b"]));
        assert_ne!(index.request(&[b"a", b"b"]), index.request(&[b"ab", b""]));
        assert_ne!(index.request(&[b"a", b"b"]), index.request(&[b"b", b"a"]));
    }

    #[test]
    fn index_ignores_letter_case_and_outer_blanks() {
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
