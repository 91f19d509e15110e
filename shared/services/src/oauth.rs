//! Signing in with an account at GitHub or Google (contract-2023 section 7.2), with PKCE: what they say about who comes back.

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

/// How a provider is reached.
#[derive(Debug, Clone)]
pub struct OauthSettings {
    /// Our name there.
    pub client_id: String,
    /// What proves that it is us.
    pub client_secret: Token,
    /// The site to which the provider sends people back.
    pub callback_site: String,
    /// URL of the page where people say yes.
    pub authorize_url: String,
    /// URL that changes codes into tokens.
    pub token_url: String,
    /// URL of the API that says who somebody is, without a slash at its end.
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
    /// The settings of that provider, when it is enabled.
    pub fn get(&self, provider: Provider) -> Option<&OauthSettings> {
        match provider {
            Provider::GitHub => self.github.as_ref(),
            Provider::Google => self.google.as_ref(),
        }
    }
}

/// Who came back, as the provider knows him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The address; the provider has verified it.
    pub email: String,
    /// What to call him.
    pub name: String,
    /// What he says about himself.
    pub bio: Option<String>,
    /// URL of his picture.
    pub picture: Option<String>,
    /// What else there is: fields of the account's data.
    pub data: Vec<(&'static str, String)>,
}

/// Why nobody came back.
#[derive(Debug, thiserror::Error)]
pub enum OauthError {
    /// The code is none, or was used before, or not by who began.
    #[error("the code does not work")]
    Code,
    /// The provider has verified no address of his.
    #[error("there is no verified address")]
    Unverified,
    /// The provider does not answer as it should.
    #[error("the provider: {0}")]
    Call(#[from] CallError),
}

/// Where somebody goes to say yes. `verifier` is a secret of ours, of which only a digest is shown.
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

/// Asks the provider who came back with that code.
///
/// # Errors
/// [`OauthError`]
pub async fn identify(
    provider: Provider,
    settings: &OauthSettings,
    http: &Arc<Http>,
    code: &str,
    verifier: &str,
) -> Result<Identity, OauthError> {
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
    let refused = answer.status == StatusCode::BAD_REQUEST;
    let exchanged: Exchanged = if refused {
        answer.json()?
    } else {
        answer.success()?.json()?
    };
    // GitHub says so with a status of success.
    match (exchanged.error.as_ref().and_then(Value::as_str), exchanged.access_token) {
        (None, Some(token)) => Ok(token),
        (Some("bad_verification_code" | "invalid_grant"), _) => Err(OauthError::Code),
        _ if refused => Err(CallError::Refused(StatusCode::BAD_REQUEST).into()),
        _ => Err(CallError::Garbage.into()),
    }
}

/// Asks the API something in the name of who came back.
async fn ask<T: serde::de::DeserializeOwned>(http: &Http, url: String, token: &Token) -> Result<T, CallError> {
    let request = http.request(Method::GET, url).bearer_auth(token.expose());
    let request = request.header("accept", "application/json");
    send(request).await?.success()?.json()
}

#[cfg(test)]
mod tests;
