//! [`FieldCipher`]: encrypts single fields at rest with AES-256-GCM, bound to the location of the field.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Key, Random};

/// The location of an encrypted field. It is authenticated together with the field, so that a value cannot be moved to another row, column or
/// table.
#[derive(Debug, Clone, Copy)]
pub struct FieldLocation {
    /// Name of the table.
    pub table: &'static str,
    /// Name of the column.
    pub column: &'static str,
    /// UUID of the row.
    pub row: Uuid,
}

/// The reason why a field cannot be decrypted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CipherError {
    /// The field was encrypted with a key that this installation does not have.
    #[error("encrypted with a key that is not configured (key id {0:08x})")]
    UnknownKey(u32),
    /// The field was modified, truncated or moved.
    #[error("the field is damaged or was moved")]
    Damaged,
}

const FORMAT: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 12;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;

/// Encrypts fields with the current key, and decrypts them with the current key or an older one.
///
/// An encrypted field consists of one byte for the format, four bytes key id, twelve bytes nonce, the ciphertext and the tag.
#[derive(Clone)]
pub struct FieldCipher {
    current: (u32, Box<Aes256Gcm>),
    older: Vec<(u32, Aes256Gcm)>,
}

impl FieldCipher {
    /// Creates a cipher that encrypts with `current`, and also decrypts with the `older` keys.
    pub fn new(current: &Key, older: &[Key]) -> Self {
        let with_id = |key: &Key| (key_id(key), Aes256Gcm::new(key.as_bytes().into()));
        let (id, cipher) = with_id(current);
        Self {
            current: (id, Box::new(cipher)),
            older: older.iter().map(with_id).collect(),
        }
    }

    /// Encrypts `plaintext` for its location.
    pub fn seal(&self, random: &dyn Random, location: FieldLocation, plaintext: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = random.bytes();
        let (id, cipher) = &self.current;
        let sealed = cipher
            .encrypt(
                &Nonce::from(nonce),
                Payload {
                    msg: plaintext,
                    aad: &associated_data(location),
                },
            )
            .expect("a field is far below the limit of AES-GCM, 64 GiB");
        let mut field = Vec::with_capacity(HEADER_BYTES + sealed.len());
        field.push(FORMAT);
        field.extend_from_slice(&id.to_be_bytes());
        field.extend_from_slice(&nonce);
        field.extend_from_slice(&sealed);
        field
    }

    /// Whether a field was encrypted with the current key.
    pub fn is_current(&self, field: &[u8]) -> bool {
        field.get(1..=KEY_ID_BYTES) == Some(&self.current.0.to_be_bytes()[..])
    }

    /// Decrypts a field that [`Self::seal`] has encrypted for the same location.
    ///
    /// # Errors
    /// [`CipherError`] if the key is unknown, or the field was modified or moved.
    pub fn open(&self, location: FieldLocation, field: &[u8]) -> Result<Vec<u8>, CipherError> {
        let (header, sealed) = field.split_at_checked(HEADER_BYTES).ok_or(CipherError::Damaged)?;
        if header[0] != FORMAT {
            return Err(CipherError::Damaged);
        }
        let id = u32::from_be_bytes(header[1..=KEY_ID_BYTES].try_into().expect("four bytes"));
        let nonce: [u8; NONCE_BYTES] = header[1 + KEY_ID_BYTES..].try_into().expect("twelve bytes");
        let cipher = if id == self.current.0 {
            &*self.current.1
        } else {
            let older = self.older.iter().find(|(older, _)| *older == id);
            &older.ok_or(CipherError::UnknownKey(id))?.1
        };
        cipher
            .decrypt(
                &Nonce::from(nonce),
                Payload {
                    msg: sealed,
                    aad: &associated_data(location),
                },
            )
            .map_err(|_| CipherError::Damaged)
    }
}

/// Returns the public id of a key: the beginning of its hash, so that keys need no numbering.
fn key_id(key: &Key) -> u32 {
    let digest = Sha256::new()
        .chain_update(b"bespoke/key-id/1")
        .chain_update(key.as_bytes())
        .finalize();
    u32::from_be_bytes(digest[..KEY_ID_BYTES].try_into().expect("four bytes"))
}

fn associated_data(location: FieldLocation) -> Vec<u8> {
    let FieldLocation { table, column, row } = location;
    [table.as_bytes(), b"\0", column.as_bytes(), b"\0", row.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::testing::Counting;

    const PLACE: FieldLocation = FieldLocation {
        table: "sets",
        column: "name",
        row: Uuid::from_u128(7),
    };

    fn key(byte: u8) -> Key {
        Key::from_bytes([byte; crate::KEY_BYTES])
    }

    #[test]
    fn field_is_bound_to_its_location() {
        let cipher = FieldCipher::new(&key(1), &[]);
        let field = cipher.seal(&Counting::default(), PLACE, "żółw 👋".as_bytes());
        assert_eq!(cipher.open(PLACE, &field).unwrap(), "żółw 👋".as_bytes());
        for elsewhere in [
            FieldLocation {
                table: "users",
                ..PLACE
            },
            FieldLocation {
                column: "notes",
                ..PLACE
            },
            FieldLocation {
                row: Uuid::from_u128(8),
                ..PLACE
            },
        ] {
            assert_eq!(cipher.open(elsewhere, &field), Err(CipherError::Damaged));
        }
    }

    #[test]
    fn modified_or_truncated_field_is_rejected() {
        let cipher = FieldCipher::new(&key(1), &[]);
        let field = cipher.seal(&Counting::default(), PLACE, b"neck");
        for position in 0..field.len() {
            let mut changed = field.clone();
            changed[position] ^= 1;
            assert!(cipher.open(PLACE, &changed).is_err(), "byte {position}");
            assert!(cipher.open(PLACE, &field[..position]).is_err(), "cut at {position}");
        }
    }

    #[test]
    fn older_keys_only_decrypt() {
        let old = FieldCipher::new(&key(1), &[]);
        let field = old.seal(&Counting::default(), PLACE, b"neck");
        let rotated = FieldCipher::new(&key(2), &[key(1)]);
        assert_eq!(rotated.open(PLACE, &field).unwrap(), b"neck");
        let newer = rotated.seal(&Counting::default(), PLACE, b"neck");
        assert!(rotated.is_current(&newer) && !rotated.is_current(&field) && !rotated.is_current(b"x"));
        assert_eq!(old.open(PLACE, &newer), Err(CipherError::UnknownKey(key_id(&key(2)))));
    }

    #[test]
    fn ciphertexts_of_equal_texts_differ() {
        let (cipher, random) = (FieldCipher::new(&key(1), &[]), Counting::default());
        assert_ne!(
            cipher.seal(&random, PLACE, b"neck"),
            cipher.seal(&random, PLACE, b"neck")
        );
    }
}
