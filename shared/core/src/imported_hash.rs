//! [`ImportedHash`]: verifies password and secret hashes of the original backend: scrypt (`v3`), and bcrypt (`v2`) of older accounts. The
//! next use of the password or secret replaces them.

use std::str::FromStr;

use scrypt::{Params, scrypt};
use serde::Deserialize;
use subtle::ConstantTimeEq;

/// Length of a scrypt hash, in bytes.
const SCRYPT_BYTES: usize = 64;
/// Binary logarithm of the scrypt cost: N = 16,384.
const SCRYPT_LOG_N: u8 = 14;
/// Block size of scrypt.
const SCRYPT_R: u32 = 8;
/// Parallelism of scrypt.
const SCRYPT_P: u32 = 1;
/// The highest bcrypt cost that is verified, because a higher cost takes many seconds. The original backend used 10.
const BCRYPT_MAX_COST: u32 = 14;

/// A hash of the original backend. Its verification occupies a core for tens of milliseconds, and 16 MiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedHash {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Scrypt { hash: [u8; SCRYPT_BYTES], salt: Vec<u8> },
    Bcrypt(String),
}

/// The JSON format of the original backend.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Stored {
    #[serde(rename = "v3")]
    Scrypt { hash: String, salt: String },
    #[serde(rename = "v2")]
    Bcrypt { data: String },
}

impl ImportedHash {
    /// Parses the JSON text; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        // Most stored hashes are PHC texts, so this test avoids the JSON parser.
        if !text.starts_with('{') {
            return None;
        }
        let kind = match serde_json::from_str(text).ok()? {
            Stored::Scrypt { hash, salt } => Kind::Scrypt {
                hash: hex::decode(hash).ok()?.try_into().ok()?,
                salt: hex::decode(salt).ok()?,
            },
            Stored::Bcrypt { data } => {
                let parts = bcrypt::HashParts::from_str(&data).ok()?;
                (parts.get_cost() <= BCRYPT_MAX_COST).then_some(Kind::Bcrypt(data))?
            }
        };
        let text = text.to_owned();
        Some(Self { text, kind })
    }

    /// The text to store.
    pub fn as_text(&self) -> &str {
        &self.text
    }

    /// Whether the hash belongs to this password or secret.
    pub fn verify(&self, secret: &str) -> bool {
        match &self.kind {
            Kind::Scrypt { hash, salt } => {
                let params =
                    Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P).expect("the parameters are valid for scrypt");
                let mut computed = [0; SCRYPT_BYTES];
                scrypt(secret.as_bytes(), salt, &params, &mut computed)
                    .expect("64 bytes are a valid length for scrypt");
                computed.ct_eq(hash).into()
            }
            Kind::Bcrypt(hash) => bcrypt::verify(secret, hash).unwrap_or(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::random::testing::Counting;
    use crate::{PasswordHasher, PasswordSettings};

    /// Hashes of the original backend, verified with independent tools.
    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../../tests/data/vectors.json")).unwrap()
    }

    fn text(value: &Value) -> &str {
        value.as_str().unwrap()
    }

    #[test]
    fn imported_hash_verifies_and_is_outdated() {
        let vectors = vectors();
        let hasher = PasswordHasher::new(PasswordSettings {
            memory_kib: 8,
            iterations: 1,
            parallelism: 1,
        })
        .unwrap();
        let passwords = ["passwords_v3", "passwords_v2"].map(|section| vectors[section]["vectors"].as_array().unwrap());
        for vector in passwords.into_iter().flatten() {
            let (password, column) = (text(&vector["password"]), text(&vector["column"]));
            assert!(hasher.verify(password, Some(column)), "{column}");
            assert!(!hasher.verify(&format!("{password}x"), Some(column)), "{column}");
            assert!(hasher.is_outdated(column));
            let renewed = hasher.hash(&Counting::default(), password);
            assert!(ImportedHash::parse(&renewed).is_none() && hasher.verify(password, Some(&renewed)));
        }
        let key = &vectors["passwords_v3"]["apikey_secret"];
        let hash = ImportedHash::parse(text(&key["column"])).unwrap();
        assert!(hash.verify(text(&key["secret"])));
        assert_eq!(hash.as_text(), text(&key["column"]));
    }

    #[test]
    fn other_text_is_not_an_imported_hash() {
        let hash = "00".repeat(SCRYPT_BYTES);
        for other in [
            String::new(),
            "{}".into(),
            "{".into(),
            r#"{"type":"v1","data":"x"}"#.into(),
            r#"{"type":"v2","data":"x"}"#.into(),
            r#"{"type":"v2","data":"$2a$31$xd5fTqlE6GvSicbQwkDJ1uwIpvMvbXaJ6o2MfthvmNdiOMjXvQGRC"}"#.into(),
            format!(r#"{{"type":"v3","hash":"{}","salt":"00"}}"#, &hash[2..]),
            format!(r#"{{"type":"v3","hash":"{hash}","salt":"0g"}}"#),
            format!(r#"{{"type":"v3","hash":"{hash}"}}"#),
            r#"{"type":"v3","hash":7,"salt":"00"}"#.into(),
        ] {
            assert_eq!(ImportedHash::parse(&other), None, "{other}");
        }
    }
}
