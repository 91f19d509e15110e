//! Encryption of columns.

use std::sync::Arc;

use bespoke_core::validate::older_email_forms;
use bespoke_core::{BlindIndex, FieldCipher, FieldLocation, Random};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::columns::Columns;
use crate::error::{Error, Result};

/// The data key, the index key, and the source of randomness for encryption.
#[derive(Clone)]
pub struct Vault {
    cipher: FieldCipher,
    index: BlindIndex,
    /// The index key that is being replaced.
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

    /// Adds the previous index key, so that rows that still use it are found.
    #[must_use]
    pub fn with_older_index(self, older_index: Option<BlindIndex>) -> Self {
        Self { older_index, ..self }
    }

    /// Returns whether a field is encrypted with the newest key.
    pub(crate) fn is_current(&self, field: &[u8]) -> bool {
        self.cipher.is_current(field)
    }

    /// Returns whether rows may still use the previous index key.
    pub(crate) fn is_rotating(&self) -> bool {
        self.older_index.is_some()
    }

    /// Returns the indexes by which rows may be stored, newest first.
    pub(crate) fn indexes(&self) -> impl Iterator<Item = &BlindIndex> {
        std::iter::once(&self.index).chain(&self.older_index)
    }

    /// Returns the keyed hashes under which an address may be stored, newest first. Rows of earlier versions may contain another form of it.
    pub(crate) fn email_entries(&self, address: &str) -> impl Iterator<Item = [u8; 32]> {
        let older = older_email_forms(address);
        let of_index = move |index: &BlindIndex| {
            let forms = std::iter::once(address).chain(older.iter().map(String::as_str));
            forms.map(|form| index.email(form)).collect::<Vec<_>>()
        };
        self.indexes().flat_map(of_index)
    }

    /// Returns the source of randomness.
    pub fn random(&self) -> &dyn Random {
        &*self.random
    }

    /// Returns the keyed index over e-mail addresses.
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

    /// Decrypts the next column of the row, a text.
    pub(crate) fn open(&self, column: &'static str, row: &mut Columns<'_>) -> Result<String> {
        self.maybe_open(column, row)?.ok_or_else(|| self.unknown(column))
    }

    /// Decrypts the next column of the row, a text or NULL.
    pub(crate) fn maybe_open(&self, column: &'static str, row: &mut Columns<'_>) -> Result<Option<String>> {
        let field = row.sealed()?;
        field.map(|field| self.open_text(column, field)).transpose()
    }

    /// Decrypts a text.
    pub(crate) fn open_text(&self, column: &'static str, field: &[u8]) -> Result<String> {
        String::from_utf8(self.open_bytes(column, field)?).map_err(|_| self.unknown(column))
    }

    /// Decrypts the next column of the row, a JSON value.
    pub(crate) fn open_json<T: DeserializeOwned>(&self, column: &'static str, row: &mut Columns<'_>) -> Result<T> {
        let field = row.sealed()?.ok_or_else(|| self.unknown(column))?;
        serde_json::from_slice(&self.open_bytes(column, field)?).map_err(|_| self.unknown(column))
    }

    /// Reads the next column of the row, an unencrypted JSON value.
    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str, row: &mut Columns<'_>) -> Result<T> {
        let text: String = row.take()?;
        serde_json::from_str(&text).map_err(|_| self.unknown(column))
    }

    /// Returns the error for a value that this version does not know.
    pub(crate) fn unknown(&self, column: &'static str) -> Error {
        Error::Unknown {
            table: self.table,
            column,
            row: self.uuid,
        }
    }
}
