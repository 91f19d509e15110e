//! The identity of a user at GitHub, from its API.

use serde::Deserialize;

use super::{OauthError, OauthSettings, ProviderIdentity, ask};
use crate::Token;
use crate::http::Http;

pub(super) const AUTHORIZE: [(&str, &str); 1] = [("scope", "read:user user:email")];

#[derive(Deserialize)]
struct User {
    login: String,
    blog: Option<String>,
    twitter_username: Option<String>,
    bio: Option<String>,
    avatar_url: Option<String>,
}

#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

/// The profile does not tell whether its public address is verified, so the list of addresses is queried.
pub(super) async fn identify(
    settings: &OauthSettings,
    http: &Http,
    token: &Token,
) -> Result<ProviderIdentity, OauthError> {
    let url = |path: &str| format!("{}{path}", settings.api_url);
    let addresses: Vec<Address> = ask(http, url("/user/emails"), token).await?;
    let address = addresses
        .into_iter()
        .find(|address| address.primary && address.verified);
    let email = address.ok_or(OauthError::Unverified)?.email;
    let user: User = ask(http, url("/user"), token).await?;
    let mut data = vec![("githubEmail", email.clone()), ("githubUsername", user.login.clone())];
    let more = [("website", user.blog), ("twitter", user.twitter_username)];
    let more = more.into_iter().filter_map(|(name, text)| Some((name, text?)));
    data.extend(more.filter(|(_, text)| !text.is_empty()));
    Ok(ProviderIdentity {
        email,
        name: user.login,
        bio: user.bio.filter(|bio| !bio.is_empty()),
        picture: user.avatar_url,
        data,
    })
}
