//! Sign-in at GitHub or Google by OAuth with PKCE: [`authorize_url`] leads to the provider, and [`identify`] returns the user's identity.

mod github;
mod google;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bespoke_core::entity::oauth::Provider;
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Token;
use crate::http::{CallError, Http, send};

/// Access to a provider.
#[derive(Debug, Clone)]
pub struct OauthSettings {
    /// Id of this client at the provider.
    pub client_id: String,
    /// Secret of this client.
    pub client_secret: Token,
    /// The site to which the provider redirects people.
    pub callback_site: String,
    /// URL of the consent page.
    pub authorize_url: String,
    /// URL that exchanges codes for tokens.
    pub token_url: String,
    /// URL of the API with the user's profile, without a slash at its end.
    pub api_url: String,
}

/// The providers that are enabled.
#[derive(Debug, Clone, Default)]
pub struct OauthProviders {
    /// GitHub.
    pub github: Option<OauthSettings>,
    /// Google.
    pub google: Option<OauthSettings>,
}

impl OauthProviders {
    /// Returns the settings of that provider if it is enabled.
    pub fn get(&self, provider: Provider) -> Option<&OauthSettings> {
        match provider {
            Provider::GitHub => self.github.as_ref(),
            Provider::Google => self.google.as_ref(),
        }
    }
}

/// The identity that the provider returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderIdentity {
    /// The address, which the provider has verified.
    pub email: String,
    /// Display name.
    pub name: String,
    /// Biography in the profile.
    pub bio: Option<String>,
    /// URL of the picture.
    pub picture: Option<String>,
    /// Further fields for the account's data.
    pub data: Vec<(&'static str, String)>,
}

/// The reason why the provider returned no identity.
#[derive(Debug, thiserror::Error)]
pub enum OauthError {
    /// The code is invalid, was used before, or belongs to another sign-in.
    #[error("the code is invalid")]
    Code,
    /// The user has no address that the provider has verified.
    #[error("the user has no verified address")]
    Unverified,
    /// The provider failed.
    #[error("the provider failed: {0}")]
    Call(#[from] CallError),
}

/// Returns the URL of the consent page. It contains only a digest of the secret `verifier`.
pub fn authorize_url(provider: Provider, settings: &OauthSettings, state: &str, verifier: &str) -> Option<String> {
    let mut url = Url::parse(&settings.authorize_url).ok()?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    url.query_pairs_mut()
        .append_pair("client_id", &settings.client_id)
        .append_pair("redirect_uri", &redirect_uri(provider, settings))
        .append_pair("state", state)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .extend_pairs(match provider {
            Provider::GitHub => &github::AUTHORIZE[..],
            Provider::Google => &google::AUTHORIZE[..],
        });
    Some(url.into())
}

fn redirect_uri(provider: Provider, settings: &OauthSettings) -> String {
    format!("{}/signin/callback/{}", settings.callback_site, provider.name())
}

/// Exchanges the code, and returns the identity of the user.
///
/// # Errors
/// [`OauthError`]
pub async fn identify(
    provider: Provider,
    settings: &OauthSettings,
    http: &Arc<Http>,
    code: &str,
    verifier: &str,
) -> Result<ProviderIdentity, OauthError> {
    let token = exchange(provider, settings, http, code, verifier).await?;
    match provider {
        Provider::GitHub => github::identify(settings, http, &token).await,
        Provider::Google => google::identify(settings, http, &token).await,
    }
}

#[derive(Deserialize)]
struct Exchanged {
    access_token: Option<Token>,
    error: Option<Value>,
}

async fn exchange(
    provider: Provider,
    settings: &OauthSettings,
    http: &Http,
    code: &str,
    verifier: &str,
) -> Result<Token, OauthError> {
    let request = http.request(Method::POST, &settings.token_url).json(&json!({
        "client_id": settings.client_id,
        "client_secret": settings.client_secret.expose(),
        "code": code,
        "code_verifier": verifier,
        "grant_type": "authorization_code",
        "redirect_uri": redirect_uri(provider, settings),
    }));
    let answer = send(request.header("accept", "application/json")).await?;
    let is_bad_request = answer.status == StatusCode::BAD_REQUEST;
    let exchanged: Exchanged = if is_bad_request {
        answer.json()?
    } else {
        answer.success()?.json()?
    };
    // GitHub reports this error with a status of success.
    match (exchanged.error.as_ref().and_then(Value::as_str), exchanged.access_token) {
        (None, Some(token)) => Ok(token),
        (Some("bad_verification_code" | "invalid_grant"), _) => Err(OauthError::Code),
        _ if is_bad_request => Err(CallError::Refused(StatusCode::BAD_REQUEST).into()),
        _ => Err(CallError::InvalidResponse.into()),
    }
}

/// Queries the API with the token of the user.
async fn query<T: serde::de::DeserializeOwned>(http: &Http, url: String, token: &Token) -> Result<T, CallError> {
    let request = http.request(Method::GET, url).bearer_auth(token.expose());
    let request = request.header("accept", "application/json");
    send(request).await?.success()?.json()
}

#[cfg(test)]
mod tests;
