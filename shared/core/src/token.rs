//! [`Tokens`]: issues and verifies JSON Web Tokens with the [`Claims`] that existing clients read. [`Grant`] is the reason for issuing a
//! token. Only HS256 is accepted.

mod hs256;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entity::user::User;
use crate::{Key, Timestamp};

/// The claims of a token. `role` and `status` are those of the time of issue. Clients read them, but the service reads the present values
/// from the account at each call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Integer id of the account.
    #[serde(rename = "_id")]
    pub id: i64,
    /// UUID of the account. It is checked, because after a restore another account may have the same integer id. Tokens of version 0.1 do
    /// not contain it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<Uuid>,
    /// User name.
    pub username: String,
    /// Name of the role.
    pub role: String,
    /// Status of the account, see [`crate::entity::user::Status`].
    pub status: i64,
    /// Audience: `<url>/<instance>`.
    pub aud: String,
    /// Issuer: the URL of the API.
    pub iss: String,
    /// Time of issue, in seconds since the Unix epoch.
    pub iat: i64,
    /// Time of expiry, in seconds since the Unix epoch.
    pub exp: i64,
    /// Integer id of the impersonating account; only in impersonation tokens.
    #[serde(rename = "impersonatedBy", default, skip_serializing_if = "Option::is_none")]
    pub impersonator: Option<i64>,
}

/// Maximum lifetime of an impersonation token, in milliseconds.
const IMPERSONATION_LIFE_MS: i64 = 60 * 60 * 1000;

/// The account of a token.
#[derive(Debug, Clone, Copy)]
pub struct TokenAccount<'a> {
    /// Integer id.
    pub id: i64,
    /// UUID.
    pub uuid: Uuid,
    /// User name.
    pub username: &'a str,
    /// Name of the role.
    pub role: &'a str,
    /// Status, see [`crate::entity::user::Status`].
    pub status: i64,
    /// The account rejects tokens that were issued before this time.
    pub tokens_from: Timestamp,
}

impl<'a> From<&'a User> for TokenAccount<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: user.account_status.id,
            uuid: user.account_status.uuid,
            username: &user.username,
            role: user.account_status.role.name(),
            status: user.account_status.status as i64,
            tokens_from: user.account_status.tokens_from,
        }
    }
}

/// The reason for issuing a token. It determines the lifetime and whether the token names an impersonator.
#[derive(Debug, Clone, Copy)]
pub enum Grant<'a> {
    /// The owner of the account has signed in. The token has the configured lifetime.
    SignIn,
    /// Another account impersonates this one. The token names the impersonator and is valid for at most one hour.
    Impersonation {
        /// Integer id of the impersonator.
        by: i64,
    },
    /// The account has changed. The token contains the new role, status and name, and keeps the time of issue, the expiry and the
    /// impersonator of the verified token that it replaces.
    Renewal {
        /// The claims of that token.
        of: &'a Claims,
    },
}

/// The reason why a token is rejected. Responses do not contain it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    /// Wrong format, algorithm, signature, issuer or audience.
    #[error("not a token of this instance")]
    Invalid,
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
}

/// Issuer, audience and lifetime of the tokens of an installation.
#[derive(Debug, Clone)]
pub struct TokenSettings {
    /// Issuer.
    pub issuer: String,
    /// Audience.
    pub audience: String,
    /// Lifetime, in milliseconds.
    pub lifetime_ms: i64,
}

/// Signs and verifies tokens.
#[derive(Clone)]
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    settings: TokenSettings,
}

impl Tokens {
    /// Creates an issuer and verifier with that key.
    pub fn new(key: &Key, settings: TokenSettings) -> Self {
        hs256::install();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&[&settings.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        // `verify` compares the expiry with the injected clock.
        validation.validate_exp = false;
        Self {
            encoding: EncodingKey::from_secret(key.as_bytes()),
            decoding: DecodingKey::from_secret(key.as_bytes()),
            validation,
            settings,
        }
    }

    /// Issues a token for an account. This is the only place that issues tokens, so that no token loses its impersonator or outlives the
    /// credential on which it is based.
    pub fn issue(&self, account: TokenAccount<'_>, grant: Grant<'_>, now: Timestamp) -> String {
        // Tokens from before `tokens_from` are rejected, and this call may happen within that second.
        let now = now.max(account.tokens_from);
        let expires_in = |lifetime_ms| now.plus_ms(lifetime_ms).as_seconds();
        let lifetime_ms = self.settings.lifetime_ms;
        let (iat, exp, impersonator) = match grant {
            Grant::SignIn => (now.as_seconds(), expires_in(lifetime_ms), None),
            Grant::Impersonation { by } => {
                let exp = expires_in(lifetime_ms.min(IMPERSONATION_LIFE_MS));
                (now.as_seconds(), exp, Some(by))
            }
            Grant::Renewal { of } => (of.iat, of.exp, of.impersonator),
        };
        self.encode(&Claims {
            id: account.id,
            sub: Some(account.uuid),
            username: account.username.to_owned(),
            role: account.role.to_owned(),
            status: account.status,
            aud: self.settings.audience.clone(),
            iss: self.settings.issuer.clone(),
            iat,
            exp,
            impersonator,
        })
    }

    fn encode(&self, claims: &Claims) -> String {
        encode(&Header::new(Algorithm::HS256), claims, &self.encoding).expect("plain claims can always be serialized")
    }

    /// Verifies the algorithm, signature, issuer, audience and expiry of a token.
    ///
    /// # Errors
    /// [`TokenError`] if one of them is wrong.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        let claims = decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        if claims.exp <= now.as_seconds() {
            Err(TokenError::Expired)
        } else {
            Ok(claims)
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::{Sha256, Sha384, Sha512};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn tokens(key: u8, issuer: &str, audience: &str) -> Tokens {
        let settings = TokenSettings {
            issuer: issuer.into(),
            audience: audience.into(),
            lifetime_ms: 60_000,
        };
        Tokens::new(&Key::from_bytes([key; crate::KEY_BYTES]), settings)
    }

    const ACCOUNT: TokenAccount<'static> = TokenAccount {
        id: 4,
        uuid: Uuid::from_u128(4),
        username: "user-4",
        role: "user",
        status: 1,
        tokens_from: Timestamp::from_millis(0),
    };

    fn sign_in(tokens: &Tokens) -> String {
        tokens.issue(ACCOUNT, Grant::SignIn, NOW)
    }

    /// Returns a token that is valid except for its algorithm.
    fn signed_by<M: Mac + KeyInit>(algorithm: &str, key: u8) -> String {
        let ours = sign_in(&tokens(key, "http://here", "http://here/one"));
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"typ":"JWT","alg":"{algorithm}"}}"#));
        let message = format!("{header}.{}", ours.split('.').nth(1).unwrap());
        let mac = <M as KeyInit>::new_from_slice(&[key; crate::KEY_BYTES]).unwrap();
        let signature = mac.chain_update(&message).finalize().into_bytes();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn token_is_valid_until_it_expires() {
        let tokens = tokens(1, "http://here", "http://here/one");
        let token = sign_in(&tokens);
        let claims = tokens.verify(&token, NOW.plus_ms(59_999)).unwrap();
        assert_eq!((claims.id, claims.iat, claims.exp), (4, 1_700_000_000, 1_700_000_060));
        assert_eq!(tokens.verify(&token, NOW.plus_ms(60_000)), Err(TokenError::Expired));
    }

    #[test]
    fn foreign_tokens_are_rejected() {
        let ours = tokens(1, "http://here", "http://here/one");
        let foreign = [
            sign_in(&tokens(2, "http://here", "http://here/one")),
            sign_in(&tokens(1, "http://there", "http://here/one")),
            sign_in(&tokens(1, "http://here", "http://here/two")),
            signed_by::<Hmac<Sha384>>("HS384", 1),
            signed_by::<Hmac<Sha512>>("HS512", 1),
            signed_by::<Hmac<Sha256>>("RS256", 1),
            signed_by::<Hmac<Sha256>>("EdDSA", 1),
            // {"alg":"none"} with an empty signature.
            format!(
                "eyJhbGciOiJub25lIn0.{}.",
                signed_by::<Hmac<Sha256>>("HS256", 1).split('.').nth(1).unwrap()
            ),
            String::new(),
            "a.b.c".into(),
        ];
        for token in foreign {
            assert_eq!(ours.verify(&token, NOW), Err(TokenError::Invalid), "{token}");
        }
        assert!(ours.verify(&signed_by::<Hmac<Sha256>>("HS256", 1), NOW).is_ok());
    }

    #[test]
    fn renewed_token_keeps_expiry_and_impersonator() {
        let day_ms = 24 * 60 * 60 * 1000;
        let settings = TokenSettings {
            lifetime_ms: day_ms,
            ..tokens(1, "http://here", "http://here/one").settings
        };
        let tokens = Tokens::new(&Key::from_bytes([1; crate::KEY_BYTES]), settings);
        for (grant, life_s, impersonator) in [
            (Grant::SignIn, day_ms / 1000, None),
            (Grant::Impersonation { by: 9 }, 3600, Some(9)),
        ] {
            let claims = tokens.verify(&tokens.issue(ACCOUNT, grant, NOW), NOW).unwrap();
            assert_eq!((claims.exp - claims.iat, claims.impersonator), (life_s, impersonator));
            let later = NOW.plus_ms(60_000);
            let changed = TokenAccount {
                role: "curator",
                tokens_from: later,
                ..ACCOUNT
            };
            let renewed = tokens.issue(changed, Grant::Renewal { of: &claims }, later);
            let expected = Claims {
                role: "curator".into(),
                ..claims
            };
            assert_eq!(tokens.verify(&renewed, later), Ok(expected));
        }
    }

    #[test]
    fn new_token_is_not_older_than_the_account_accepts() {
        let tokens = tokens(1, "http://here", "http://here/one");
        let account = TokenAccount {
            tokens_from: NOW.plus_ms(1000),
            ..ACCOUNT
        };
        let claims = tokens.verify(&tokens.issue(account, Grant::SignIn, NOW), NOW).unwrap();
        assert_eq!(claims.iat, NOW.as_seconds() + 1);
    }
}
