//! [`Vault`]: encrypts columns, and computes the blind index by which rows with encrypted values, such as e-mail addresses, are found.

use std::sync::Arc;

use bespoke_core::validate::{clean_email, older_email_forms};
use bespoke_core::{BlindIndex, FieldCipher, FieldLocation, Random};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::columns::Columns;
use crate::error::{Error, Result};

/// The data key, the blind-index key, and the random source for encryption.
#[derive(Clone)]
pub struct Vault {
    cipher: FieldCipher,
    index: BlindIndex,
    /// The blind-index key that is being replaced.
    older_index: Option<BlindIndex>,
    random: Arc<dyn Random>,
}

impl Vault {
    /// Creates a vault.
    pub fn new(cipher: FieldCipher, index: BlindIndex, random: Arc<dyn Random>) -> Self {
        Self {
            cipher,
            index,
            older_index: None,
            random,
        }
    }

    /// Adds the previous blind-index key, so that rows with hashes of this key are found.
    #[must_use]
    pub fn with_older_index(self, older_index: Option<BlindIndex>) -> Self {
        Self { older_index, ..self }
    }

    /// Returns whether a field is encrypted with the newest key.
    pub(crate) fn is_current(&self, field: &[u8]) -> bool {
        self.cipher.is_current(field)
    }

    /// Returns whether stored hashes may have been made with the previous blind-index key.
    pub(crate) fn is_rotating(&self) -> bool {
        self.older_index.is_some()
    }

    /// Returns the blind-index keys with which stored hashes may have been made, newest first.
    pub(crate) fn index_keys(&self) -> impl Iterator<Item = &BlindIndex> {
        std::iter::once(&self.index).chain(&self.older_index)
    }

    /// Returns the blind-index hashes under which an e-mail address may be stored, newest first. Rows written by earlier
    /// releases may hash the address with its domain in Unicode (NFC or NFD).
    pub(crate) fn email_hashes(&self, address: &str) -> impl Iterator<Item = [u8; 32]> {
        let cleaned = clean_email(address);
        let mut forms = older_email_forms(&cleaned);
        forms.insert(0, cleaned);
        let of_index = move |index: &BlindIndex| forms.iter().map(|form| index.email_form(form)).collect::<Vec<_>>();
        self.index_keys().flat_map(of_index)
    }

    /// Returns the random source.
    pub fn random(&self) -> &dyn Random {
        &*self.random
    }

    /// Returns the blind index with the newest key.
    pub fn index(&self) -> &BlindIndex {
        &self.index
    }

    /// Returns the vault for the columns of one row.
    pub(crate) fn row(&self, table: &'static str, uuid: Uuid) -> RowVault<'_> {
        RowVault {
            vault: self,
            table,
            uuid,
        }
    }
}

/// Encrypts and decrypts the columns of one row.
pub(crate) struct RowVault<'a> {
    vault: &'a Vault,
    table: &'static str,
    uuid: Uuid,
}

impl RowVault<'_> {
    fn location(&self, column: &'static str) -> FieldLocation {
        FieldLocation {
            table: self.table,
            column,
            row: self.uuid,
        }
    }

    pub(crate) fn seal(&self, column: &'static str, text: &str) -> Vec<u8> {
        self.seal_bytes(column, text.as_bytes())
    }

    pub(crate) fn seal_bytes(&self, column: &'static str, bytes: &[u8]) -> Vec<u8> {
        self.vault
            .cipher
            .seal(&*self.vault.random, self.location(column), bytes)
    }

    pub(crate) fn seal_json(&self, column: &'static str, value: &impl Serialize) -> Vec<u8> {
        let json = serde_json::to_vec(value).expect("maps with text keys always serialise");
        self.seal_bytes(column, &json)
    }

    pub(crate) fn open_bytes(&self, column: &'static str, field: &[u8]) -> Result<Vec<u8>> {
        let Self { table, uuid: row, .. } = *self;
        let opened = self.vault.cipher.open(self.location(column), field);
        opened.map_err(|source| Error::Field {
            table,
            column,
            row,
            source,
        })
    }

    /// Takes the next value of `columns` by position and decrypts it as text. `column` is its name, to which the
    /// ciphertext is bound.
    pub(crate) fn open(&self, column: &'static str, columns: &mut Columns<'_>) -> Result<String> {
        self.maybe_open(column, columns)?
            .ok_or_else(|| self.undecodable(column))
    }

    /// As [`RowVault::open`], for a column that may be NULL.
    pub(crate) fn maybe_open(&self, column: &'static str, columns: &mut Columns<'_>) -> Result<Option<String>> {
        let field = columns.sealed()?;
        field.map(|field| self.open_text(column, field)).transpose()
    }

    /// Decrypts `field`, a text in the column with the name `column`.
    pub(crate) fn open_text(&self, column: &'static str, field: &[u8]) -> Result<String> {
        String::from_utf8(self.open_bytes(column, field)?).map_err(|_| self.undecodable(column))
    }

    /// As [`RowVault::open`], for a JSON value.
    pub(crate) fn open_json<T: DeserializeOwned>(&self, column: &'static str, columns: &mut Columns<'_>) -> Result<T> {
        let field = columns.sealed()?.ok_or_else(|| self.undecodable(column))?;
        serde_json::from_slice(&self.open_bytes(column, field)?).map_err(|_| self.undecodable(column))
    }

    /// Takes the next value of `columns`, an unencrypted JSON value. `column` is its name, for errors.
    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str, columns: &mut Columns<'_>) -> Result<T> {
        let text: String = columns.take()?;
        serde_json::from_str(&text).map_err(|_| self.undecodable(column))
    }

    /// Returns the error for a value that cannot be decoded, or that a newer release wrote.
    pub(crate) fn undecodable(&self, column: &'static str) -> Error {
        Error::Unknown {
            table: self.table,
            column,
            row: self.uuid,
        }
    }
}

#[cfg(test)]
mod tests {
    use bespoke_core::{KEY_BYTES, Key};

    use super::*;

    struct NoRandom;

    impl Random for NoRandom {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(1);
        }
    }

    fn key(byte: u8) -> Key {
        Key::from_bytes([byte; KEY_BYTES])
    }

    #[test]
    fn hashes_of_earlier_releases_are_found() {
        let index = BlindIndex::new(&key(2));
        let vault = Vault::new(FieldCipher::new(&key(1), &[]), index.clone(), Arc::new(NoRandom));
        let hashes = |address: &str| vault.email_hashes(address).collect::<Vec<_>>();
        let stored = index.entry("email", "jane@m\u{fc}nchen.example");
        for address in ["jane@xn--mnchen-3ya.example", "Jane@M\u{fc}nchen.example"] {
            let found = hashes(address);
            assert_eq!(found[0], index.email(address));
            assert!(found.contains(&stored) && found[0] != stored, "{address}");
        }
        assert_eq!(hashes("jane@example.com").len(), 1);
    }
}
