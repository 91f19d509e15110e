//! Parses the settings of limits and of password hashes: methods of [`Environment`].

use std::num::NonZeroU32;

use bespoke_core::{PasswordHasher, PasswordSettings};

use super::environment::Environment;
use super::error::{ConfigError, invalid};
use crate::client::OriginSecret;
use crate::limits::{AccountLimits, LimitSettings};

/// Maximum memory of one password hash: the first recommendation of RFC 9106, in KiB. With more, one sign-in could exhaust the memory.
const MAX_PASSWORD_MEMORY_KIB: u32 = 2 * 1024 * 1024;
/// Maximum number of passes. With more, a sign-in takes minutes.
const MAX_PASSWORD_ITERATIONS: u32 = 100;
/// Maximum number of lanes.
const MAX_PASSWORD_PARALLELISM: u32 = 64;

impl Environment {
    /// The secret that CloudFront adds to each request; `None` if the setting is missing.
    ///
    /// # Errors
    /// [`ConfigError`] if the secret is too short, or cannot be the value of a header.
    pub fn origin_secret(&self) -> Result<Option<OriginSecret>, ConfigError> {
        let name = "BACKEND_ORIGIN_SECRET";
        let secret = self.text(name).map(|text| text.parse()).transpose();
        secret.map_err(|error: String| invalid(name, error))
    }

    pub(super) fn limits(&self) -> Result<Option<LimitSettings>, ConfigError> {
        let on = self.switch("BACKEND_RATE_LIMITS", "must be on or off")?.unwrap_or(true);
        let rate = |name, default: u32| self.number(name, NonZeroU32::new(default).unwrap_or(NonZeroU32::MIN));
        let settings = LimitSettings {
            public_writes: rate("BACKEND_LIMIT_PUBLIC_WRITES", 60)?,
            public_reads: rate("BACKEND_LIMIT_PUBLIC_READS", 3_000)?,
            callers: rate("BACKEND_LIMIT_CALLERS", 1_200)?,
        };
        Ok(on.then_some(settings))
    }

    pub(super) fn account_limits(&self) -> Result<AccountLimits, ConfigError> {
        const MIB: u64 = 1024 * 1024;
        let text_mib: u32 = self.number("BACKEND_ACCOUNT_MAX_TEXT_MIB", 64)?;
        let written_mib: u32 = self.number("BACKEND_ACCOUNT_WRITES_MIB_PER_DAY", 512)?;
        let is_limited = self.limits()?.is_some();
        Ok(AccountLimits {
            sets: self.number("BACKEND_ACCOUNT_MAX_SETS", 2_000)?,
            patterns: self.number("BACKEND_ACCOUNT_MAX_PATTERNS", 2_000)?,
            bookmarks: self.number("BACKEND_ACCOUNT_MAX_BOOKMARKS", 2_000)?,
            live_keys: self.number("BACKEND_ACCOUNT_MAX_APIKEYS", 100)?,
            text_bytes: u64::from(text_mib) * MIB,
            written_bytes_per_day: is_limited.then_some(u64::from(written_mib) * MIB),
        })
    }

    pub(super) fn passwords(&self) -> Result<PasswordSettings, ConfigError> {
        let default = PasswordSettings::default();
        let settings = PasswordSettings {
            memory_kib: self.number("BACKEND_PASSWORD_MEMORY_KIB", default.memory_kib)?,
            iterations: self.number("BACKEND_PASSWORD_ITERATIONS", default.iterations)?,
            parallelism: self.number("BACKEND_PASSWORD_PARALLELISM", default.parallelism)?,
        };
        for (name, value, most, example) in [
            (
                "BACKEND_PASSWORD_MEMORY_KIB",
                settings.memory_kib,
                MAX_PASSWORD_MEMORY_KIB,
                default.memory_kib,
            ),
            (
                "BACKEND_PASSWORD_ITERATIONS",
                settings.iterations,
                MAX_PASSWORD_ITERATIONS,
                default.iterations,
            ),
            (
                "BACKEND_PASSWORD_PARALLELISM",
                settings.parallelism,
                MAX_PASSWORD_PARALLELISM,
                default.parallelism,
            ),
        ] {
            if !(1..=most).contains(&value) {
                let expected = format!("must be a whole number from 1 to {most}, for example {example}");
                return Err(invalid(name, expected));
            }
        }
        let expected = "must be at least 8 times BACKEND_PASSWORD_PARALLELISM, for example 19456";
        PasswordHasher::new(settings).map_err(|_| invalid("BACKEND_PASSWORD_MEMORY_KIB", expected))?;
        Ok(settings)
    }
}
