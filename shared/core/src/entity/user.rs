//! [`User`]: a stored account. [`AccountStatus`] is the part with [`Consent`] and [`Status`] that decides whether the account can be
//! used.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::validate::Language;
use crate::{Role, Timestamp};

/// The consent of the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consent {
    /// No consent. The account is unusable.
    None = 0,
    /// Storing account data.
    Account = 1,
    /// Storing measurements, too.
    Measurements = 2,
    /// Publishing anonymized measurements, too.
    Publication = 3,
}

impl Consent {
    /// Returns the consent with that number, 0 to 3.
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

/// The status of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Created but not confirmed.
    Inactive = 0,
    /// In use.
    Active = 1,
    /// Disabled by its owner.
    Disabled = -1,
    /// Blocked by an administrator.
    Blocked = -2,
}

impl Status {
    /// Returns the status with that number; `None` for numbers other than 0, 1, -1 and -2.
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

/// The reason why an account is unusable, in the order in which the reasons are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Consent is missing.
    #[error("consentLacking")]
    ConsentLacking,
    /// Disabled by its owner.
    #[error("accountDisabled")]
    Disabled,
    /// Blocked by an administrator.
    #[error("accountBlocked")]
    Blocked,
    /// Not confirmed.
    #[error("accountInactive")]
    Inactive,
}

/// The part of an account that determines the permissions of each call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountStatus {
    /// Integer id.
    pub id: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Present role.
    pub role: Role,
    /// Present status.
    pub status: Status,
    /// Present consent.
    pub consent: Consent,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Tokens that were issued before this time are rejected, in whole seconds. It is the time of creation, or the later time at which the
    /// owner signed out everywhere. (A token from before the creation belongs to another account that had the same integer id before a
    /// restore.)
    pub tokens_from: Timestamp,
}

impl AccountStatus {
    /// Whether an administrator has blocked the account, by its status or by its role.
    pub fn is_blocked(&self) -> bool {
        self.status == Status::Blocked || self.role == Role::Blocked
    }

    /// Checks that the account is usable: first its consent, then its status.
    ///
    /// # Errors
    /// The reason why the account is unusable.
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
    /// Identity, role and status.
    pub account_status: AccountStatus,
    /// Biography; clients render it as Markdown.
    pub bio: String,
    /// Whether the owner wants comparisons with measurements of others.
    pub compare: bool,
    /// Complexity of the user interface, 1 to 5.
    pub control: i64,
    /// The normalized address.
    pub email: String,
    /// Data of the client.
    pub data: Map<String, Value>,
    /// Random name of the account's image, 64 hexadecimal digits. It is not derived from the address, because addresses can be guessed.
    pub ihash: String,
    /// The first address.
    pub initial: String,
    /// Whether the owner uses inches.
    pub imperial: bool,
    /// Number of calls by token.
    pub jwt_calls: i64,
    /// Number of calls by API key.
    pub key_calls: i64,
    /// Language of mails.
    pub language: Language,
    /// Time of the last call.
    pub last_seen: Option<Timestamp>,
    /// Whether sign-in requires a second factor.
    pub mfa_enabled: bool,
    /// Whether the owner wants the newsletter.
    pub newsletter: bool,
    /// Tier of patronage.
    pub patron: i64,
    /// Calls a day with each of its API keys; `None` for the default.
    pub quota: Option<u32>,
    /// Last change.
    pub updated_at: Timestamp,
    /// User name with its letter case.
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
    fn consent_is_checked_before_status() {
        let account_status = |consent, status, role| AccountStatus {
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
            assert_eq!(account_status(consent, status, role).usable(), expected);
        }
    }
}
