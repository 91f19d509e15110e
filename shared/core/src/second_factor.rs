//! The second factor: [`TotpSecret`] for time-based one-time passwords of authenticator apps (TOTP, RFC 6238), and [`ScratchCode`] for a
//! lost app.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use subtle::ConstantTimeEq;
use totp_rs::{Builder, Secret, Totp};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::{Random, Timestamp};

/// The number of digits of a one-time password.
pub const TOTP_DIGITS: usize = 6;
/// The number of scratch codes of an account.
pub const SCRATCH_CODES: usize = 8;

/// The period of a one-time password, in seconds.
const STEP_S: i64 = 30;
/// Random bytes of a new secret: the output length of SHA-1, as RFC 4226 recommends. Imported secrets have 10.
const SECRET_BYTES: usize = 20;
/// Random bytes of a scratch code.
const SCRATCH_BYTES: usize = 10;
/// Characters in each group of a displayed scratch code.
const SCRATCH_GROUP_CHARS: usize = 4;

/// The secret that an authenticator app shares with the service, in base32.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(String);

impl TotpSecret {
    /// Generates a new secret.
    pub fn generate(random: &dyn Random) -> Self {
        Self(base32(&random.bytes::<SECRET_BYTES>()))
    }

    /// Creates a secret from its stored form.
    pub const fn from_stored(base32: String) -> Self {
        Self(base32)
    }

    /// The secret itself, for the response that shows it once and for the database.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `text` is the secret. Compares in constant time.
    pub fn matches(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }

    /// The URI that authenticator apps read from a QR code.
    pub fn uri(&self, service: &str, username: &str) -> String {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        format!(
            "otpauth://totp/{service}:{}?secret={}&period={STEP_S}&digits={TOTP_DIGITS}&algorithm=SHA1&issuer={service}",
            encoded(username),
            self.0,
            service = encoded(service),
        )
    }

    /// Returns the one-time password at that time; `None` if the secret is malformed.
    pub fn code(&self, now: Timestamp) -> Option<String> {
        Some(self.totp()?.generate(now.as_seconds().unsigned_abs()).to_string())
    }

    /// Returns the number of the period since the Unix epoch whose one-time password is `code`: the present period or the previous one, because a
    /// person may type a code while its period ends (RFC 6238 section 5.2). `None` for all other codes.
    pub fn step_of(&self, code: &str, now: Timestamp) -> Option<i64> {
        let present = now.as_seconds().div_euclid(STEP_S);
        [present, present - 1].into_iter().find(|step| {
            let expected = self.code(Timestamp::from_millis(step * STEP_S * 1000));
            expected.is_some_and(|expected| expected.as_bytes().ct_eq(code.as_bytes()).into())
        })
    }

    fn totp(&self) -> Option<Totp> {
        let secret = Secret::try_from_base32(&self.0).ok()?;
        // RFC 4226 requires 16 bytes, but imported secrets have 10 and must stay valid.
        Some(Builder::new().with_secret(secret).with_skew(0).build_noncompliant())
    }
}

impl std::fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpSecret(..)")
    }
}

/// A scratch code, which replaces a one-time password once.
#[derive(Clone, PartialEq, Eq)]
pub struct ScratchCode(String);

impl ScratchCode {
    /// Generates a new code.
    pub fn generate(random: &dyn Random) -> Self {
        Self(base32(&random.bytes::<SCRATCH_BYTES>()))
    }

    /// Parses a typed code in any letter case, with or without dashes and blanks. `None` if it is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        const CHARS: usize = SCRATCH_BYTES * 8 / 5;
        let plain = text.chars().filter(|c| !matches!(c, '-' | ' '));
        let plain: String = plain.take(CHARS + 1).map(|c| c.to_ascii_uppercase()).collect();
        let is_valid = plain.len() == CHARS && plain.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
        is_valid.then_some(Self(plain))
    }

    /// The code without dashes, whose digest is stored.
    pub fn plain(&self) -> &str {
        &self.0
    }

    /// The displayed form of the code.
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

/// Maximum length of a typed code, in bytes. Longer ones are not read, because callers without authentication can send long texts.
const MAX_TYPED_BYTES: usize = 256;

/// Reads a code from a request: a text, or a number. Blanks and dashes are removed from a text, because apps show codes in groups. A number is
/// padded with the leading zeros that it lost. A text of more than 256 bytes becomes empty, which is never right.
pub fn typed_code(value: &Value) -> Option<String> {
    let is_separator = |c: char| c.is_whitespace() || c.general_category() == GeneralCategory::DashPunctuation;
    match value {
        Value::String(text) if text.len() > MAX_TYPED_BYTES => Some(String::new()),
        Value::String(text) => Some(text.chars().filter(|c| !is_separator(*c)).collect()),
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
    fn codes_match_rfc_6238() {
        // The test vectors of appendix B have eight digits; these are the last six.
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
    fn code_is_valid_in_its_period_and_the_next() {
        let secret = TotpSecret::generate(&Counting::default());
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let code = secret.code(at(1_800_000_000)).unwrap();
        for moment in [1_800_000_000, 1_800_000_029, 1_800_000_030, 1_800_000_059] {
            assert_eq!(secret.step_of(&code, at(moment)), Some(60_000_000));
        }
        for other in [1_799_999_999, 1_800_000_060] {
            assert_eq!(secret.step_of(&code, at(other)), None);
        }
    }

    #[test]
    fn imported_secrets_are_accepted_and_malformed_ones_rejected() {
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
    fn uri_contains_encoded_names_and_parameters() {
        let secret = TotpSecret::from_stored("JBSWY3DPEHPK3PXP".into());
        assert_eq!(
            secret.uri("FreeSewing", "Jane & Ada"),
            "otpauth://totp/FreeSewing:Jane%20%26%20Ada?secret=JBSWY3DPEHPK3PXP&period=30&digits=6&algorithm=SHA1&issuer=FreeSewing"
        );
        assert!(secret.matches("JBSWY3DPEHPK3PXP") && !secret.matches("JBSWY3DPEHPK3PXQ") && !secret.matches(""));
    }

    #[test]
    fn scratch_code_is_parsed_in_any_typed_form() {
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
    fn code_may_be_text_or_number() {
        for (value, code) in [
            (json!("012345"), Some("012345")),
            (json!(" 012345 "), Some("012345")),
            (json!("012 345"), Some("012345")),
            (json!("012-345"), Some("012345")),
            (json!("012\u{a0}\u{2013} 345"), Some("012345")),
            (json!("abcd-efgh ijkl"), Some("abcdefghijkl")),
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
