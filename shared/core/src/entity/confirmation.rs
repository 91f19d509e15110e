//! [`Confirmation`]: a pending action that the owner of an account confirms with a link from a mail, and its [`ConfirmationKind`].

use serde_json::{Map, Value};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::Timestamp;

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Random bytes of a check. The text form has twice as many hexadecimal digits.
pub const CHECK_BYTES: usize = 8;

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
}
