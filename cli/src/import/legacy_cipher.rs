//! [`LegacyCipher`]: encryption at rest of the legacy backend: AES-256-CBC with a key that scrypt derives from the
//! passphrase.

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use bespoke_core::Random;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const KEY_BYTES: usize = 32;
const IV_BYTES: usize = 16;
const SALT: &[u8] = b"FreeSewing";
/// Binary logarithm of the cost parameter of scrypt: N = 16,384.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 1;

/// Decrypts fields of the legacy backend.
#[derive(Clone)]
pub(crate) struct LegacyCipher([u8; KEY_BYTES]);

/// An encrypted column of the legacy database. Both fields are hexadecimal.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EncryptedColumn {
    iv: String,
    ct: String,
}

/// A value that cannot be decrypted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum OpenError {
    #[error("is not encrypted in the format of FreeSewing's backend")]
    Form,
    #[error("cannot be decrypted: it is damaged, or was encrypted with another passphrase")]
    Content,
}

impl LegacyCipher {
    /// Derives the key from a passphrase. Takes tens of milliseconds of CPU time.
    pub(crate) fn new(passphrase: &str) -> Self {
        let params = scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P).expect("scrypt takes these parameters");
        let mut key = [0; KEY_BYTES];
        scrypt::scrypt(passphrase.as_bytes(), SALT, &params, &mut key).expect("32 bytes are a length scrypt can give");
        Self(key)
    }

    /// Decrypts the text of a column. An empty column is an empty text.
    pub(crate) fn open(&self, column: &str) -> Result<Value, OpenError> {
        if column.is_empty() {
            return Ok(Value::String(String::new()));
        }
        let sealed: EncryptedColumn = serde_json::from_str(column).map_err(|_| OpenError::Form)?;
        let iv: [u8; IV_BYTES] = hex::decode(sealed.iv)
            .ok()
            .and_then(|iv| iv.try_into().ok())
            .ok_or(OpenError::Form)?;
        let mut bytes = hex::decode(sealed.ct).map_err(|_| OpenError::Form)?;
        let decryptor = cbc::Decryptor::<Aes256>::new(&self.0.into(), &iv.into());
        let opened = decryptor
            .decrypt_padded::<Pkcs7>(&mut bytes)
            .map_err(|_| OpenError::Content)?;
        serde_json::from_slice(opened).map_err(|_| OpenError::Content)
    }

    /// Decrypts a value that was encrypted more than once.
    pub(crate) fn peel(&self, mut value: Value) -> Value {
        // Each layer is shorter than the one around it, so the loop ends.
        while let Some(inner) = value.as_str().filter(|text| text.starts_with('{')) {
            match self.open(inner) {
                Ok(opened) => value = opened,
                Err(_) => break,
            }
        }
        value
    }

    /// Encrypts a value as the legacy backend does.
    pub(crate) fn seal(&self, random: &dyn Random, value: &Value) -> String {
        let iv: [u8; IV_BYTES] = random.bytes();
        let encryptor = cbc::Encryptor::<Aes256>::new(&self.0.into(), &iv.into());
        let sealed = EncryptedColumn {
            iv: hex::encode(iv),
            ct: hex::encode(encryptor.encrypt_padded_vec::<Pkcs7>(value.to_string().as_bytes())),
        };
        serde_json::to_string(&sealed).expect("two texts always serialise")
    }

    /// Encrypts a value with two layers of JSON.
    pub(crate) fn seal_text_of(&self, random: &dyn Random, value: &Value) -> String {
        self.seal(random, &Value::String(value.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use bespoke_web::SystemRandom;

    use super::*;

    /// Ciphertexts of the legacy backend, which were verified independently.
    fn vectors() -> Value {
        let all: Value = serde_json::from_str(include_str!("../../../tests/data/vectors.json")).unwrap();
        all["encryption"].clone()
    }

    fn text(value: &Value) -> &str {
        value.as_str().unwrap()
    }

    #[test]
    fn legacy_ciphertext_is_decrypted() {
        let vectors = vectors();
        let cipher = LegacyCipher::new(text(&vectors["passphrase"]));
        assert_eq!(hex::encode(cipher.0), text(&vectors["derived_key_hex"]));
        for vector in vectors["vectors"].as_array().unwrap() {
            let mut opened = cipher.open(text(&vector["stored_column_text"])).unwrap();
            if vector["double_json"] == true {
                opened = serde_json::from_str(text(&opened)).unwrap();
            }
            assert_eq!(opened, vector["value"], "{}", vector["label"]);
        }
        let twice = &vectors["double_encrypted"];
        let once = cipher.open(text(&twice["stored_column_text"])).unwrap();
        assert_eq!(once, twice["inner_stored"]);
        assert_eq!(cipher.peel(once), twice["value"]);
        assert_eq!(cipher.open(""), Ok(Value::String(String::new())));
    }

    #[test]
    fn ciphertext_requires_its_passphrase() {
        let (one, other) = (LegacyCipher::new("one"), LegacyCipher::new("other"));
        let value = serde_json::json!({ "note": "żółw 👋" });
        let column = one.seal(&SystemRandom, &value);
        assert_eq!(one.open(&column), Ok(value.clone()));
        assert!(other.open(&column).is_err());
        let twice = one.seal_text_of(&SystemRandom, &value);
        assert_eq!(one.open(&twice), Ok(Value::String(value.to_string())));
        for broken in [
            "x".to_owned(),
            "{}".into(),
            column.replace("ct", "cd"),
            column.replace("iv\":\"", "iv\":\"00"),
            column.replace("\"}", "0\"}"),
            column[..column.len() - 4].to_owned() + "\"}",
        ] {
            assert!(one.open(&broken).is_err(), "{broken}");
        }
    }
}
