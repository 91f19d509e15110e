//! [`identify`]: returns the identity of a user at Google, from the People API.

use serde::Deserialize;

use super::{OauthError, OauthSettings, ProviderIdentity, query};
use crate::Token;
use crate::http::Http;

pub(super) const AUTHORIZE: [(&str, &str); 3] = [
    ("response_type", "code"),
    (
        "scope",
        "https://www.googleapis.com/auth/userinfo.profile https://www.googleapis.com/auth/userinfo.email",
    ),
    ("access_type", "online"),
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Person {
    email_addresses: Vec<Entry>,
    names: Vec<Entry>,
    photos: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    metadata: Metadata,
    value: Option<String>,
    display_name: Option<String>,
    url: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    primary: bool,
    #[serde(default)]
    verified: bool,
}

pub(super) async fn identify(
    settings: &OauthSettings,
    http: &Http,
    token: &Token,
) -> Result<ProviderIdentity, OauthError> {
    let url = format!(
        "{}/v1/people/me?personFields=emailAddresses,names,photos",
        settings.api_url
    );
    let person: Person = query(http, url, token).await?;
    let primary = |entries: Vec<Entry>| entries.into_iter().find(|entry| entry.metadata.primary);
    let address = primary(person.email_addresses).filter(|entry| entry.metadata.verified);
    let email = address.and_then(|entry| entry.value).ok_or(OauthError::Unverified)?;
    let name = primary(person.names).and_then(|entry| entry.display_name);
    Ok(ProviderIdentity {
        // The address is not used as a fallback, because user names are public.
        name: name.unwrap_or_default(),
        email,
        bio: None,
        picture: primary(person.photos).and_then(|entry| entry.url),
        data: Vec::new(),
    })
}
