//! Signing in with somebody else's account: what is kept between leaving for the provider and coming back.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;
use crate::validate::Language;

/// How long somebody may take at the provider, and then for the code of the second factor, in milliseconds.
pub const LIFE_MS: i64 = 10 * 60 * 1000;

/// Whose account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// GitHub.
    GitHub,
    /// Google.
    Google,
}

impl Provider {
    /// The name, in requests and as stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::Google => "google",
        }
    }

    /// The provider of that name, in any letter case.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::GitHub, Self::Google]
            .into_iter()
            .find(|provider| provider.name().eq_ignore_ascii_case(name))
    }
}

/// Who came back: remembered while the account asks for a second factor, for the provider's code works only once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// Digest of the provider's code, by which whoever comes again is the same.
    pub code: String,
    /// The address that the provider has verified.
    pub email: String,
}

/// Somebody who left for a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthState {
    /// UUID: the `state` that the provider hands back.
    pub uuid: Uuid,
    /// To whom.
    pub provider: Provider,
    /// Language of the account that may come of it.
    pub language: Language,
    /// Proves to the provider that who asks is who began (PKCE).
    pub verifier: String,
    /// Who came back.
    pub returned: Option<Returned>,
    /// When.
    pub created_at: Timestamp,
}

impl OauthState {
    /// Whether its time is over.
    pub fn expired(&self, now: Timestamp) -> bool {
        now >= self.created_at.plus_ms(LIFE_MS)
    }
}
