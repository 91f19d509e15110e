//! The second factor: one-time passwords by time (RFC 6238) as authenticator apps know them, and scratch codes for who has
//! lost the app.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use subtle::ConstantTimeEq;
use totp_rs::{Builder, Secret, Totp};

use crate::{Random, Timestamp};

/// Digits of a one-time password.
pub const TOTP_DIGITS: usize = 6;
/// Scratch codes that somebody gets.
pub const SCRATCH_CODES: usize = 8;

/// How long a one-time password works, in seconds.
const STEP_S: i64 = 30;
/// Random bytes of a new secret: as many as SHA-1 has (RFC 4226 section 4). Those of the original have 10.
const SECRET_BYTES: usize = 20;
/// Random bytes of a scratch code.
const SCRATCH_BYTES: usize = 10;
/// A scratch code is written in groups of so many characters.
const SCRATCH_GROUP_CHARS: usize = 4;

/// The secret that an authenticator app and we have in common, in base32.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(String);

impl TotpSecret {
    /// Makes a new secret.
    pub fn generate(random: &dyn Random) -> Self {
        Self(base32(&random.bytes::<SECRET_BYTES>()))
    }

    /// A secret as it was stored.
    pub const fn from_stored(base32: String) -> Self {
        Self(base32)
    }

    /// The secret itself, for the one answer that shows it and for the database.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether that is the secret; takes the same time wherever they differ.
    pub fn matches(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }

    /// The address that authenticator apps read from a QR code.
    pub fn uri(&self, service: &str, username: &str) -> String {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        format!(
            "otpauth://totp/{service}:{}?secret={}&period={STEP_S}&digits={TOTP_DIGITS}&algorithm=SHA1&issuer={service}",
            encoded(username),
            self.0,
            service = encoded(service),
        )
    }

    /// The one-time password of a moment.
    pub fn code(&self, now: Timestamp) -> Option<String> {
        Some(self.totp()?.generate(now.as_seconds().unsigned_abs()).to_string())
    }

    /// The step, counted since the Unix epoch, whose one-time password this is; `None` when it is not that of now. The one
    /// before and the one after do not count.
    pub fn step_of(&self, code: &str, now: Timestamp) -> Option<i64> {
        let expected = self.code(now)?;
        let right: bool = expected.as_bytes().ct_eq(code.as_bytes()).into();
        right.then(|| now.as_seconds().div_euclid(STEP_S))
    }

    fn totp(&self) -> Option<Totp> {
        let secret = Secret::try_from_base32(&self.0).ok()?;
        // RFC 4226 asks for 16 bytes; secrets of the original have 10, and are kept.
        Some(Builder::new().with_secret(secret).with_skew(0).build_noncompliant())
    }
}

impl std::fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpSecret(..)")
    }
}

/// A code that signs in once, instead of a one-time password.
#[derive(Clone, PartialEq, Eq)]
pub struct ScratchCode(String);

impl ScratchCode {
    /// Makes a new one.
    pub fn generate(random: &dyn Random) -> Self {
        Self(base32(&random.bytes::<SCRATCH_BYTES>()))
    }

    /// Reads one as somebody types it: any letter case, with or without dashes and blanks. `None` when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        const CHARS: usize = SCRATCH_BYTES * 8 / 5;
        let plain = text.chars().filter(|c| !matches!(c, '-' | ' '));
        let plain: String = plain.take(CHARS + 1).map(|c| c.to_ascii_uppercase()).collect();
        let fits = plain.len() == CHARS && plain.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
        fits.then_some(Self(plain))
    }

    /// The code without dashes, from which its digest is made.
    pub fn plain(&self) -> &str {
        &self.0
    }

    /// The code as it is shown, once.
    pub fn shown(&self) -> String {
        let chars: Vec<_> = self.0.chars().collect();
        let groups = chars.chunks(SCRATCH_GROUP_CHARS).map(String::from_iter);
        groups.collect::<Vec<_>>().join("-").to_ascii_lowercase()
    }
}

impl std::fmt::Debug for ScratchCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ScratchCode(..)")
    }
}

/// A code as a request gives it: a text, or a number, whose leading zeros are lost on the way (defect D108).
pub fn typed_code(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => number.as_u64().map(|number| format!("{number:0TOTP_DIGITS$}")),
        _ => None,
    }
}

fn base32(bytes: &[u8]) -> String {
    Secret::new(bytes.into()).to_base32()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::random::testing::Counting;

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B, of which six digits are the last of the eight.
        let secret = TotpSecret::from_stored("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".into());
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let now = Timestamp::from_millis(seconds * 1000);
            assert_eq!(secret.code(now).as_deref(), Some(code));
            assert_eq!(secret.step_of(code, now), Some(seconds / 30));
            for wrong in ["", "1234", "287083", "2870820", "+87082", "２８７０８２"] {
                assert_eq!(secret.step_of(wrong, now), None, "{wrong}");
            }
        }
    }

    #[test]
    fn a_code_works_in_its_step_only() {
        let secret = TotpSecret::generate(&Counting::default());
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let code = secret.code(at(1_800_000_000)).unwrap();
        assert!(secret.step_of(&code, at(1_800_000_029)).is_some());
        for other in [1_799_999_999, 1_800_000_030] {
            assert_eq!(secret.step_of(&code, at(other)), None);
        }
    }

    #[test]
    fn secrets_of_the_original_work_and_nonsense_has_no_code() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        assert!(TotpSecret::from_stored("JBSWY3DPEHPK3PXP".into()).code(now).is_some());
        let vectors: Value = serde_json::from_str(include_str!("../../../tests/data/vectors.json")).unwrap();
        let vector = &vectors["totp"];
        let secret = TotpSecret::from_stored(vector["secret_base32"].as_str().unwrap().to_owned());
        let moment = Timestamp::from_millis(vector["unix_time"].as_i64().unwrap() * 1000);
        assert_eq!(secret.code(moment).unwrap(), vector["token"].as_str().unwrap());
        assert_eq!(TotpSecret::from_stored("not base32!".into()).code(now), None);
    }

    #[test]
    fn the_address_is_that_of_the_contract() {
        let secret = TotpSecret::from_stored("JBSWY3DPEHPK3PXP".into());
        assert_eq!(
            secret.uri("FreeSewing", "Jane & Ada"),
            "otpauth://totp/FreeSewing:Jane%20%26%20Ada?secret=JBSWY3DPEHPK3PXP&period=30&digits=6&algorithm=SHA1&issuer=FreeSewing"
        );
        assert!(secret.matches("JBSWY3DPEHPK3PXP") && !secret.matches("JBSWY3DPEHPK3PXQ") && !secret.matches(""));
    }

    #[test]
    fn a_scratch_code_is_read_however_it_is_typed() {
        let code = ScratchCode::generate(&Counting::default());
        let shown = code.shown();
        assert_eq!(shown.len(), 19, "{shown}");
        for typed in [
            shown.clone(),
            shown.to_uppercase(),
            shown.replace('-', ""),
            shown.replace('-', " "),
        ] {
            assert_eq!(ScratchCode::parse(&typed), Some(code.clone()));
        }
        for wrong in [
            "",
            "123456",
            &shown[1..],
            &format!("{shown}a"),
            &shown.replace('-', "é"),
        ] {
            assert_eq!(ScratchCode::parse(wrong), None);
        }
    }

    #[test]
    fn digits_are_taken_as_text_and_as_number() {
        for (value, code) in [
            (json!("012345"), Some("012345")),
            (json!(" 012345 "), Some("012345")),
            (json!(12_345), Some("012345")),
            (json!(1234), Some("001234")),
            (json!(-1), None),
            (json!(1.5), None),
            (json!(["012345"]), None),
            (json!(true), None),
        ] {
            assert_eq!(typed_code(&value).as_deref(), code);
        }
    }
}
