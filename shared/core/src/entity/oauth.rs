//! Sign-in with an OAuth [`Provider`]: [`OauthState`] is stored until the provider redirects the browser back, and [`OauthIdentity`]
//! until the second factor is checked.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;
use crate::validate::Language;

/// Total time for a sign-in, in milliseconds: at the provider, and for the second factor after it.
pub const LIFE_MS: i64 = 10 * 60 * 1000;

/// An OAuth provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// GitHub.
    GitHub,
    /// Google.
    Google,
}

impl Provider {
    /// The name in requests and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::Google => "google",
        }
    }

    /// Finds the provider of that name, in any letter case.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::GitHub, Self::Google]
            .into_iter()
            .find(|provider| provider.name().eq_ignore_ascii_case(name))
    }
}

/// The identity that the provider has confirmed. It is stored while the account requires a second factor, because the code of the provider
/// works only once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OauthIdentity {
    /// Digest of the provider's code, which identifies the second request of the same sign-in.
    pub code: String,
    /// The address that the provider has verified.
    pub email: String,
}

/// A sign-in in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthState {
    /// UUID, which is the `state` parameter that the provider returns.
    pub uuid: Uuid,
    /// The provider.
    pub provider: Provider,
    /// Language of the account that may be created.
    pub language: Language,
    /// The PKCE verifier. It proves to the provider that the same client began the sign-in.
    pub verifier: String,
    /// The confirmed identity, after the redirect.
    pub returned: Option<OauthIdentity>,
    /// Time of creation.
    pub created_at: Timestamp,
}

impl OauthState {
    /// Whether the state has expired.
    pub fn expired(&self, now: Timestamp) -> bool {
        now >= self.created_at.plus_ms(LIFE_MS)
    }
}
