//! [`PasswordHasher`]: hashes and verifies passwords with argon2id in PHC format ([`PasswordSettings`]). Imported hashes of the original
//! backend are verified until their next use.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};

use crate::validate::normal_password;
use crate::{ImportedHash, Random};

/// Maximum length of a password, in bytes.
pub const MAX_PASSWORD_BYTES: usize = 1024;

const SALT_BYTES: usize = 16;

/// The cost of a hash. The default is the recommendation of OWASP for argon2id (Password Storage Cheat Sheet): 19 MiB, 2 passes, 1 lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordSettings {
    /// Memory. KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

impl Default for PasswordSettings {
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            iterations: 2,
            parallelism: 1,
        }
    }
}

/// Settings that argon2 rejects.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("argon2id rejects these parameters: {0}")]
pub struct PasswordError(String);

/// The form of a password that was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordForm {
    /// The profile OpaqueString of RFC 8265, so that the keyboard does not matter.
    Normal,
    /// The password as it was typed. Earlier versions and the original backend hashed it, so the next sign-in should replace the hash.
    AsTyped,
}

/// Hashes and verifies passwords. A call occupies a core for tens of milliseconds, so callers run it on a blocking thread.
#[derive(Clone)]
pub struct PasswordHasher {
    argon2: Argon2<'static>,
    params: Params,
    runs: Arc<AtomicU64>,
}

impl PasswordHasher {
    /// Creates a hasher with these settings.
    ///
    /// # Errors
    /// [`PasswordError`] if argon2 rejects the settings.
    pub fn new(settings: PasswordSettings) -> Result<Self, PasswordError> {
        let params = Params::new(settings.memory_kib, settings.iterations, settings.parallelism, None)
            .map_err(|error| PasswordError(error.to_string()))?;
        Ok(Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone()),
            params,
            runs: Arc::default(),
        })
    }

    /// The number of hashes that this hasher and its clones have computed. Tests compare it, because the time of a response must not depend
    /// on whether an account exists.
    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Hashes the normal form of a password with a new salt, and returns the text to store.
    pub fn hash(&self, random: &dyn Random, password: &str) -> String {
        self.hash_with_salt(random.bytes(), &normal_password(password))
    }

    fn hash_with_salt(&self, salt: [u8; SALT_BYTES], password: &str) -> String {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let hash: PasswordHash = self
            .argon2
            .hash_password_with_salt(password.as_bytes(), &salt)
            .expect("the parameters were checked, the salt has a fixed length, and argon2 accepts any password");
        hash.to_string()
    }

    /// Whether the stored hash belongs to this password, in either form ([`Self::matched_form`]).
    pub fn verify(&self, password: &str, stored: Option<&str>) -> bool {
        self.matched_form(password, stored).is_some()
    }

    /// Returns the form of the password to which the stored hash belongs; `None` if the password is wrong.
    /// An invalid hash and a missing account (`None`) cost as many hashes as a valid one, so that the time of the response does not reveal
    /// them. An imported hash costs one hash of its own kind, which may take longer, until the first sign-in replaces it.
    ///
    /// A password of more than [`MAX_PASSWORD_BYTES`] is wrong. Only its beginning is normalized and hashed, because the time must not grow
    /// with its length.
    pub fn matched_form(&self, password: &str, stored: Option<&str>) -> Option<PasswordForm> {
        let is_too_long = password.len() > MAX_PASSWORD_BYTES;
        let password = &password[..password.floor_char_boundary(MAX_PASSWORD_BYTES)];
        let stored = stored.filter(|_| !is_too_long);
        let normal = normal_password(password);
        if self.verify_form(&normal, stored) {
            return Some(PasswordForm::Normal);
        }
        (normal != password && self.verify_form(password, stored)).then_some(PasswordForm::AsTyped)
    }

    fn verify_form(&self, password: &str, stored: Option<&str>) -> bool {
        if let Some(imported) = stored.and_then(ImportedHash::parse) {
            self.runs.fetch_add(1, Ordering::Relaxed);
            return imported.verify(password);
        }
        let parsed = stored.and_then(|text| PasswordHash::new(text).ok());
        match parsed {
            Some(hash) => {
                self.runs.fetch_add(1, Ordering::Relaxed);
                self.argon2.verify_password(password.as_bytes(), &hash).is_ok()
            }
            None => {
                self.hash_with_salt([0; SALT_BYTES], password);
                false
            }
        }
    }

    /// Whether the stored hash has other settings, so that the next sign-in should replace it.
    pub fn is_outdated(&self, stored: &str) -> bool {
        PasswordHash::new(stored)
            .ok()
            .and_then(|hash| Params::try_from(&hash).ok())
            .is_none_or(|params| {
                (params.m_cost(), params.t_cost(), params.p_cost())
                    != (self.params.m_cost(), self.params.t_cost(), self.params.p_cost())
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::testing::Counting;

    fn cheap(iterations: u32) -> PasswordHasher {
        PasswordHasher::new(PasswordSettings {
            memory_kib: 8,
            iterations,
            parallelism: 1,
        })
        .unwrap()
    }

    #[test]
    fn password_is_right_however_it_was_typed() {
        let hasher = cheap(1);
        let (composed, decomposed) = ("p\u{e4}ssword\u{a0}1", "pa\u{308}ssword 1");
        let stored = hasher.hash(&Counting::default(), composed);
        assert!(hasher.verify(composed, Some(&stored)) && hasher.verify(decomposed, Some(&stored)));
        // A hash of an earlier version, which did not normalize passwords.
        let older = hasher.hash_with_salt([7; SALT_BYTES], decomposed);
        assert!(hasher.verify(decomposed, Some(&older)) && !hasher.verify(composed, Some(&older)));
        let forms = [&stored, &older].map(|hash| hasher.matched_form(decomposed, Some(hash)));
        assert_eq!(forms, [Some(PasswordForm::Normal), Some(PasswordForm::AsTyped)]);
        let runs = |stored: Option<&str>, password: &str| {
            let before = hasher.runs();
            assert!(!hasher.verify(password, stored));
            hasher.runs() - before
        };
        for password in ["wrong", "wro\u{308}ng"] {
            assert_eq!(runs(Some(&stored), password), runs(None, password), "{password}");
        }
        assert_eq!(runs(None, "wrong"), 1);
    }

    #[test]
    fn only_the_right_password_verifies() {
        let hasher = cheap(1);
        let stored = hasher.hash(&Counting::default(), "pässwörd 👋");
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
        assert!(hasher.verify("pässwörd 👋", Some(&stored)));
        for wrong in ["", "pässwörd", "PÄSSWÖRD 👋"] {
            assert!(!hasher.verify(wrong, Some(&stored)));
        }
        for not_a_hash in [None, Some(""), Some("{}"), Some("$argon2id$")] {
            assert!(!hasher.verify("pässwörd 👋", not_a_hash));
        }
    }

    #[test]
    fn password_beyond_the_limit_never_verifies() {
        let hasher = cheap(1);
        let long = "é".repeat(MAX_PASSWORD_BYTES);
        let stored = hasher.hash(&Counting::default(), &long);
        let before = hasher.runs();
        assert!(!hasher.verify(&long, Some(&stored)));
        assert_eq!(hasher.runs() - before, 1);
        let longest = "\u{fb2a}".repeat(MAX_PASSWORD_BYTES / 3);
        let stored = hasher.hash(&Counting::default(), &longest);
        assert!(
            hasher.verify(&longest, Some(&stored)),
            "its normal form is longer than the limit"
        );
    }

    #[test]
    fn hash_with_other_settings_is_outdated() {
        let stored = cheap(1).hash(&Counting::default(), "secret");
        let stronger = cheap(2);
        assert!(stronger.verify("secret", Some(&stored)));
        assert!(stronger.is_outdated(&stored));
        assert!(!cheap(1).is_outdated(&stored));
        assert!(cheap(1).is_outdated("nonsense"));
    }

    #[test]
    fn default_settings_follow_owasp() {
        let hasher = PasswordHasher::new(PasswordSettings::default()).unwrap();
        assert!(
            hasher
                .hash(&Counting::default(), "x")
                .starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
        );
        assert!(
            PasswordHasher::new(PasswordSettings {
                memory_kib: 1,
                iterations: 1,
                parallelism: 1
            })
            .is_err()
        );
    }
}
