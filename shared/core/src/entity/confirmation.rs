//! [`Confirmation`]: a pending action that the owner of an account confirms with a link from a mail, and its [`ConfirmationKind`].

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::Timestamp;

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Random bytes of a check. The text form has twice as many hexadecimal digits.
pub const CHECK_BYTES: usize = 8;

/// The number of digits of a code.
const CODE_DIGITS: usize = 4;
/// The number of wrong codes after which a confirmation accepts only its check.
const MAX_WRONG_CODES: u64 = 10;
/// Separates codes from other hashes of the check.
const CODE_CONTEXT: &[u8] = b"bespoke confirmation code";
/// The field of the data with the number of wrong codes.
const WRONG_CODES: &str = "wrongCodes";

/// The purpose of a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfirmationKind {
    /// Activates a new account.
    Signup,
    /// Signs in the owner of an account after a second sign-up with the same address.
    SignupActive,
    /// Signs in.
    SigninLink,
    /// Changes the e-mail address of an account.
    EmailChange,
}

impl ConfirmationKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Signup, Self::SignupActive, Self::SigninLink, Self::EmailChange];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::SignupActive => "signup-aea",
            Self::SigninLink => "signinlink",
            Self::EmailChange => "emailchange",
        }
    }

    /// Finds the kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether the page of the link may ask for a code. FreeSewing's React components do so for a sign-up and a sign-in: they ignore the check
    /// in the link, because programs that scan mails open links, too.
    pub const fn has_code(self) -> bool {
        !matches!(self, Self::EmailChange)
    }

    /// The lifetime of the link, in milliseconds.
    pub const fn life_ms(self) -> i64 {
        match self {
            Self::Signup => 7 * DAY_MS,
            Self::SignupActive | Self::SigninLink => HOUR_MS,
            Self::EmailChange => DAY_MS,
        }
    }
}

/// A confirmation, decrypted.
#[derive(Debug, Clone, PartialEq)]
pub struct Confirmation {
    /// UUID, which is part of the link.
    pub uuid: Uuid,
    /// The purpose.
    pub kind: ConfirmationKind,
    /// Integer id of the account.
    pub user_id: i64,
    /// The secret part of the link, hexadecimal.
    pub check: String,
    /// Data of the action, for example an address or a language.
    pub data: Map<String, Value>,
    /// Time of creation.
    pub created_at: Timestamp,
}

impl Confirmation {
    /// Whether the confirmation has expired.
    pub fn expired(&self, now: Timestamp) -> bool {
        now >= self.created_at.plus_ms(self.kind.life_ms())
    }

    /// Whether `check` is the secret of the link. Compares in constant time.
    pub fn check_matches(&self, check: &str) -> bool {
        self.check.as_bytes().ct_eq(check.as_bytes()).into()
    }

    /// The digits that the mail contains next to the link; `None` for a kind without a code. They are derived from the check. Without the UUID
    /// of the confirmation, which only the link contains, they are useless.
    pub fn code(&self) -> Option<String> {
        let hash = Sha256::new()
            .chain_update(CODE_CONTEXT)
            .chain_update(&self.check)
            .finalize();
        let number = hash
            .iter()
            .fold(0, |number, byte| (number * 256 + u32::from(*byte)) % 10_000);
        self.kind.has_code().then(|| format!("{number:0CODE_DIGITS$}"))
    }

    /// Compares a code, and counts a wrong one in the data. Returns `None` if the code is wrong, or if too many were wrong before.
    pub fn enter_code(&mut self, code: &str) -> Option<()> {
        let wrong = self.data.get(WRONG_CODES).and_then(Value::as_u64).unwrap_or_default();
        if wrong >= MAX_WRONG_CODES {
            return None;
        }
        let expected = self.code()?;
        if expected.as_bytes().ct_eq(code.as_bytes()).into() {
            return Some(());
        }
        self.data.insert(WRONG_CODES.to_owned(), (wrong + 1).into());
        None
    }
}

/// Whether a text has the form of a code, which a check never has.
pub fn is_code(text: &str) -> bool {
    text.len() == CODE_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confirmation(kind: ConfirmationKind) -> Confirmation {
        Confirmation {
            uuid: Uuid::nil(),
            kind,
            user_id: 1,
            check: "0123456789abcdef".to_owned(),
            data: Map::new(),
            created_at: Timestamp::from_millis(0),
        }
    }

    #[test]
    fn code_is_void_after_ten_wrong_ones() {
        for wrong in [MAX_WRONG_CODES - 1, MAX_WRONG_CODES] {
            let mut signup = confirmation(ConfirmationKind::Signup);
            let code = signup.code().unwrap();
            assert!(is_code(&code) && code != "0000", "{code}");
            for _ in 0..wrong {
                assert_eq!(signup.enter_code("0000"), None);
            }
            assert_eq!(signup.enter_code(&code).is_some(), wrong < MAX_WRONG_CODES);
            assert!(signup.check_matches("0123456789abcdef") && !signup.check_matches(&code));
        }
        let mut change = confirmation(ConfirmationKind::EmailChange);
        assert_eq!((change.code(), change.enter_code("0000")), (None, None));
    }

    #[test]
    fn codes_have_four_digits() {
        for other in [
            "",
            "123",
            "12345",
            "12a4",
            "\u{661}\u{662}\u{663}\u{664}",
            "0123456789abcdef",
        ] {
            assert!(!is_code(other), "{other}");
        }
        let codes: std::collections::HashSet<_> = (0..200)
            .filter_map(|n| {
                Confirmation {
                    check: format!("{n:016x}"),
                    ..confirmation(ConfirmationKind::SigninLink)
                }
                .code()
            })
            .collect();
        assert!(
            codes.len() > 180 && codes.iter().all(|code| is_code(code)),
            "{}",
            codes.len()
        );
    }
}
