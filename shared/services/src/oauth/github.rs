//! [`identify`]: returns the identity of a user at GitHub, from its API.

use serde::Deserialize;

use super::{OauthError, OauthSettings, ProviderIdentity, query};
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

/// Queries the profile, and the list of addresses, because only the list tells whether an address is verified.
pub(super) async fn identify(
    settings: &OauthSettings,
    http: &Http,
    token: &Token,
) -> Result<ProviderIdentity, OauthError> {
    let url = |path: &str| format!("{}{path}", settings.api_url);
    let addresses: Vec<Address> = query(http, url("/user/emails"), token).await?;
    let address = addresses
        .into_iter()
        .find(|address| address.primary && address.verified);
    let email = address.ok_or(OauthError::Unverified)?.email;
    let user: User = query(http, url("/user"), token).await?;
    let mut data = vec![("githubEmail", email.clone()), ("githubUsername", user.login.clone())];
    let optional = [("website", user.blog), ("twitter", user.twitter_username)];
    let present = optional.into_iter().filter_map(|(name, text)| Some((name, text?)));
    data.extend(present.filter(|(_, text)| !text.is_empty()));
    Ok(ProviderIdentity {
        email,
        name: user.login,
        bio: user.bio.filter(|bio| !bio.is_empty()),
        picture: user.avatar_url,
        data,
    })
}
