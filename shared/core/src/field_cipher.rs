//! Encryption of single fields at rest: AES-256-GCM, bound to where the field stands.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Key, Random};

/// Where an encrypted field stands. It is authenticated with the field, so a value that is moved to another row,
/// column or table no longer opens.
#[derive(Debug, Clone, Copy)]
pub struct FieldLocation {
    /// Name of the table.
    pub table: &'static str,
    /// Name of the column.
    pub column: &'static str,
    /// UUID of the row.
    pub row: Uuid,
}

/// A field that does not open.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CipherError {
    /// The field names a key that this installation does not have.
    #[error("encrypted under a key that is not configured (key id {0:08x})")]
    UnknownKey(u32),
    /// The field was changed, cut short, or moved from another place.
    #[error("the field is damaged or not in its place")]
    Damaged,
}

const FORMAT: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 12;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;

/// Seals and opens fields. Seals with the newest key, opens with any that it was given.
///
/// A sealed field is: one byte format, four bytes key id, twelve bytes nonce, then ciphertext and tag.
#[derive(Clone)]
pub struct FieldCipher {
    current: (u32, Box<Aes256Gcm>),
    older: Vec<(u32, Aes256Gcm)>,
}

impl FieldCipher {
    /// A cipher that seals with `current` and still opens what the `older` keys sealed.
    pub fn new(current: &Key, older: &[Key]) -> Self {
        let with_id = |key: &Key| (key_id(key), Aes256Gcm::new(key.as_bytes().into()));
        let (id, cipher) = with_id(current);
        Self {
            current: (id, Box::new(cipher)),
            older: older.iter().map(with_id).collect(),
        }
    }

    /// Seals `plaintext` for its place.
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
            .expect("a field is far below the 64 GiB that AES-GCM can seal");
        let mut field = Vec::with_capacity(HEADER_BYTES + sealed.len());
        field.push(FORMAT);
        field.extend_from_slice(&id.to_be_bytes());
        field.extend_from_slice(&nonce);
        field.extend_from_slice(&sealed);
        field
    }

    /// Whether a field was sealed with the newest key.
    pub fn is_current(&self, field: &[u8]) -> bool {
        field.get(1..=KEY_ID_BYTES) == Some(&self.current.0.to_be_bytes()[..])
    }

    /// Opens what [`Self::seal`] made for the same place.
    ///
    /// # Errors
    /// [`CipherError`] when the key is unknown, or the field was changed or moved.
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

/// A key's public name: the start of a hash of it, so that a key never has to be numbered by hand.
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
    fn a_field_opens_in_its_place_and_nowhere_else() {
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
    fn any_changed_or_missing_byte_is_noticed() {
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
    fn older_keys_open_and_only_the_current_one_seals() {
        let old = FieldCipher::new(&key(1), &[]);
        let field = old.seal(&Counting::default(), PLACE, b"neck");
        let rotated = FieldCipher::new(&key(2), &[key(1)]);
        assert_eq!(rotated.open(PLACE, &field).unwrap(), b"neck");
        let newer = rotated.seal(&Counting::default(), PLACE, b"neck");
        assert!(rotated.is_current(&newer) && !rotated.is_current(&field) && !rotated.is_current(b"x"));
        assert_eq!(old.open(PLACE, &newer), Err(CipherError::UnknownKey(key_id(&key(2)))));
    }

    #[test]
    fn the_same_text_never_seals_to_the_same_bytes() {
        let (cipher, random) = (FieldCipher::new(&key(1), &[]), Counting::default());
        assert_ne!(
            cipher.seal(&random, PLACE, b"neck"),
            cipher.seal(&random, PLACE, b"neck")
        );
    }
}
