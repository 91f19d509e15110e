//! Confirmations: something that waits for its owner to open a link.

use serde_json::{Map, Value};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::Timestamp;

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Bytes of a check; written as twice as many hexadecimal digits.
pub const CHECK_BYTES: usize = 8;

/// What a confirmation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Activates a new account.
    Signup,
    /// Signs in somebody who tried to sign up again.
    SignupActive,
    /// Signs in.
    SigninLink,
    /// Gives an account another address.
    EmailChange,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Signup, Self::SignupActive, Self::SigninLink, Self::EmailChange];

    /// The name as stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::SignupActive => "signup-aea",
            Self::SigninLink => "signinlink",
            Self::EmailChange => "emailchange",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// How long its link works, in milliseconds.
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
    /// UUID: stands in the link.
    pub uuid: Uuid,
    /// What it is for.
    pub kind: Kind,
    /// Integer id of the account.
    pub user_id: i64,
    /// Secret that stands in the link beside the id, hexadecimal.
    pub check: String,
    /// What it needs to know (an address, a language).
    pub data: Map<String, Value>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Confirmation {
    /// Whether its time is over.
    pub fn expired(&self, now: Timestamp) -> bool {
        now >= self.created_at.plus_ms(self.kind.life_ms())
    }

    /// Whether that is the secret of the link; takes the same time wherever they differ.
    pub fn check_matches(&self, check: &str) -> bool {
        self.check.as_bytes().ct_eq(check.as_bytes()).into()
    }
}
