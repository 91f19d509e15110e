//! Accounts.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::validate::Language;
use crate::{Role, Timestamp};

/// What the owner has consented to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consent {
    /// Nothing: the account cannot be used.
    None = 0,
    /// Keeping account data.
    Account = 1,
    /// And measurements.
    Measurements = 2,
    /// And publishing anonymised measurements.
    Publication = 3,
}

impl Consent {
    /// The consent of that number, 0 to 3.
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 => Some(Self::Account),
            2 => Some(Self::Measurements),
            3 => Some(Self::Publication),
            _ => None,
        }
    }
}

/// Whether an account can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Made, not yet confirmed.
    Inactive = 0,
    /// In use.
    Active = 1,
    /// Frozen by its owner.
    Disabled = -1,
    /// Blocked by an administrator.
    Blocked = -2,
}

impl Status {
    /// The status of that number; `None` for any but 0, 1, -1, -2.
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Inactive),
            1 => Some(Self::Active),
            -1 => Some(Self::Disabled),
            -2 => Some(Self::Blocked),
            _ => None,
        }
    }
}

/// Why an account cannot be used now; the order in which the original looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Consent is missing.
    #[error("consentLacking")]
    ConsentLacking,
    /// Frozen by its owner.
    #[error("accountDisabled")]
    Disabled,
    /// Blocked by an administrator.
    #[error("accountBlocked")]
    Blocked,
    /// Not yet confirmed.
    #[error("accountInactive")]
    Inactive,
}

/// The part of an account that decides at each call what its owner may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Integer id.
    pub id: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Role now.
    pub role: Role,
    /// Status now.
    pub status: Status,
    /// Consent now.
    pub consent: Consent,
    /// When the account was made.
    pub created_at: Timestamp,
    /// A token from before that is refused. It is a whole second: when the account was made (an older token was for another
    /// account of the same number, before the database was restored from a backup), or after its owner signed out everywhere.
    pub tokens_from: Timestamp,
}

impl Standing {
    /// Whether an administrator has blocked the account, by its status or by its role.
    pub fn is_blocked(&self) -> bool {
        self.status == Status::Blocked || self.role == Role::Blocked
    }

    /// Whether the account can be used: consent first, then status (contract-2023 section 2.1).
    ///
    /// # Errors
    /// [`Unusable`] says why not.
    pub fn usable(&self) -> Result<(), Unusable> {
        if self.consent == Consent::None {
            return Err(Unusable::ConsentLacking);
        }
        match self.status {
            Status::Active if self.role == Role::Blocked => Err(Unusable::Blocked),
            Status::Active => Ok(()),
            Status::Disabled => Err(Unusable::Disabled),
            Status::Blocked => Err(Unusable::Blocked),
            Status::Inactive => Err(Unusable::Inactive),
        }
    }
}

/// An account, decrypted.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Who it is and whether it can be used.
    pub standing: Standing,
    /// Something about oneself; clients render it as Markdown.
    pub bio: String,
    /// Whether the owner wants to be compared with others' measurements.
    pub compare: bool,
    /// How much of the interface to show, 1 to 5.
    pub control: i64,
    /// The address, cleaned.
    pub email: String,
    /// Whatever the client keeps here.
    pub data: Map<String, Value>,
    /// Random name of the account's image, 64 hexadecimal digits. (The original used a hash of the first address,
    /// which could be guessed: defect D57.)
    pub ihash: String,
    /// The first address.
    pub initial: String,
    /// Whether the owner measures in inches.
    pub imperial: bool,
    /// Authenticated calls by token.
    pub jwt_calls: i64,
    /// Authenticated calls by API key.
    pub key_calls: i64,
    /// Language of mails.
    pub language: Language,
    /// Last authenticated call.
    pub last_seen: Option<Timestamp>,
    /// Whether sign-in asks for a second factor.
    pub mfa_enabled: bool,
    /// Whether the owner wants the newsletter.
    pub newsletter: bool,
    /// Tier of patronage.
    pub patron: i64,
    /// Calls a day with each of its API keys; `None`: as many as everybody.
    pub quota: Option<u32>,
    /// Last change.
    pub updated_at: Timestamp,
    /// User name as its owner writes it.
    pub username: String,
    /// User name in lower case, unique.
    pub lusername: String,
    /// Stored password; see [`crate::PasswordHasher`].
    pub password: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consent_is_asked_before_status() {
        let standing = |consent, status, role| Standing {
            id: 1,
            uuid: Uuid::nil(),
            role,
            status,
            consent,
            created_at: Timestamp::from_millis(0),
            tokens_from: Timestamp::from_millis(0),
        };
        let cases = [
            (
                Consent::None,
                Status::Inactive,
                Role::User,
                Err(Unusable::ConsentLacking),
            ),
            (Consent::Account, Status::Inactive, Role::User, Err(Unusable::Inactive)),
            (Consent::Account, Status::Disabled, Role::User, Err(Unusable::Disabled)),
            (Consent::Account, Status::Blocked, Role::Admin, Err(Unusable::Blocked)),
            (Consent::Account, Status::Active, Role::Blocked, Err(Unusable::Blocked)),
            (Consent::Publication, Status::Active, Role::ReadNone, Ok(())),
        ];
        for (consent, status, role, expected) in cases {
            assert_eq!(standing(consent, status, role).usable(), expected);
        }
    }
}
