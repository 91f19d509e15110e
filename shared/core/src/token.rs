//! Tokens: JSON Web Tokens as the original's clients know them (contract-2023 section 2.1), HS256 and nothing else.

mod hs256;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

use crate::{Key, Timestamp};

/// What a token says. `role` and `status` are what they were when it was signed: clients read them, we do not (both
/// are read from the account at each call).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Integer id of the account.
    #[serde(rename = "_id")]
    pub id: i64,
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
    /// When it was signed, in seconds since the Unix epoch.
    pub iat: i64,
    /// When it ends, in seconds since the Unix epoch.
    pub exp: i64,
    /// Integer id of the account that acts as this one; only in the tokens of impersonation.
    #[serde(rename = "impersonatedBy", default, skip_serializing_if = "Option::is_none")]
    pub impersonator: Option<i64>,
}

/// How long somebody may act as another account with one token, in milliseconds.
const IMPERSONATION_LIFE_MS: i64 = 60 * 60 * 1000;

/// Why a token is refused. Clients are told no more than that it is.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    /// Not a token of ours: format, algorithm, signature, issuer or audience.
    #[error("not a token of this instance")]
    Invalid,
    /// It was one, but its time is over.
    #[error("the token has expired")]
    Expired,
}

/// Who signs tokens, for whom, and for how long.
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
    /// Tokens under that key.
    pub fn new(key: &Key, settings: TokenSettings) -> Self {
        hs256::install();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&[&settings.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        // The end is compared with the clock that is handed in.
        validation.validate_exp = false;
        Self {
            encoding: EncodingKey::from_secret(key.as_bytes()),
            decoding: DecodingKey::from_secret(key.as_bytes()),
            validation,
            settings,
        }
    }

    /// Signs a token for an account, from now on.
    pub fn sign(&self, id: i64, username: &str, role: &str, status: i64, now: Timestamp) -> String {
        self.encode(&self.claims(id, username, role, status, now))
    }

    /// Signs a token by which the account `impersonator` acts as another one: marked, and good for an hour at most
    /// (defect D55).
    pub fn sign_impersonated(
        &self,
        impersonator: i64,
        id: i64,
        username: &str,
        role: &str,
        status: i64,
        now: Timestamp,
    ) -> String {
        let claims = self.claims(id, username, role, status, now);
        self.encode(&Claims {
            exp: claims.exp.min(now.plus_ms(IMPERSONATION_LIFE_MS).as_seconds()),
            impersonator: Some(impersonator),
            ..claims
        })
    }

    fn claims(&self, id: i64, username: &str, role: &str, status: i64, now: Timestamp) -> Claims {
        Claims {
            id,
            username: username.to_owned(),
            role: role.to_owned(),
            status,
            aud: self.settings.audience.clone(),
            iss: self.settings.issuer.clone(),
            iat: now.as_seconds(),
            exp: now.plus_ms(self.settings.lifetime_ms).as_seconds(),
            impersonator: None,
        }
    }

    fn encode(&self, claims: &Claims) -> String {
        encode(&Header::new(Algorithm::HS256), claims, &self.encoding).expect("plain claims always serialise")
    }

    /// Verifies a token: algorithm, signature, issuer, audience, end.
    ///
    /// # Errors
    /// [`TokenError`] when any of them does not hold.
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

    /// A good token but for its algorithm.
    fn signed_by<M: Mac + KeyInit>(algorithm: &str, key: u8) -> String {
        let ours = tokens(key, "http://here", "http://here/one").sign(4, "user-4", "user", 1, NOW);
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"typ":"JWT","alg":"{algorithm}"}}"#));
        let message = format!("{header}.{}", ours.split('.').nth(1).unwrap());
        let mac = <M as KeyInit>::new_from_slice(&[key; crate::KEY_BYTES]).unwrap();
        let signature = mac.chain_update(&message).finalize().into_bytes();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn a_token_verifies_until_its_last_second() {
        let tokens = tokens(1, "http://here", "http://here/one");
        let token = tokens.sign(4, "user-4", "user", 1, NOW);
        let claims = tokens.verify(&token, NOW.plus_ms(59_999)).unwrap();
        assert_eq!((claims.id, claims.iat, claims.exp), (4, 1_700_000_000, 1_700_000_060));
        assert_eq!(tokens.verify(&token, NOW.plus_ms(60_000)), Err(TokenError::Expired));
    }

    #[test]
    fn tokens_of_other_keys_issuers_audiences_and_algorithms_are_refused() {
        let ours = tokens(1, "http://here", "http://here/one");
        let foreign = [
            tokens(2, "http://here", "http://here/one").sign(4, "user-4", "user", 1, NOW),
            tokens(1, "http://there", "http://here/one").sign(4, "user-4", "user", 1, NOW),
            tokens(1, "http://here", "http://here/two").sign(4, "user-4", "user", 1, NOW),
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
}
