//! [`Fetcher`]: fetches pictures by URL. Without restrictions, a caller could make the server query its own network: internal hosts,
//! local services, or the endpoint that hands out credentials.

mod address;

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use bespoke_storage::trace;
use bytes::Bytes;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Method, Response, Url};
use tracing::Instrument as _;

use super::picture::ImageError;
use super::prepare::MAX_SOURCE_BYTES;
use crate::http;

/// Timeout for fetching a picture, in milliseconds.
const TIMEOUT_MS: u64 = 3_000;
/// Maximum length of a URL, in bytes.
const MAX_URL_BYTES: usize = 2_048;

/// Rules for URLs and addresses.
#[derive(Clone, Copy)]
struct Rules {
    /// Whether only `https` on its default port is allowed.
    secure: bool,
    /// Returns whether a connection to that address is allowed.
    is_allowed: fn(IpAddr) -> bool,
}

/// Fetches pictures from public hosts, only by `https` and without following redirects.
pub struct Fetcher {
    rules: Rules,
    timeout_ms: u64,
    client: OnceLock<Client>,
}

impl Default for Fetcher {
    fn default() -> Self {
        let rules = Rules {
            secure: true,
            is_allowed: address::is_public,
        };
        Self::of(rules, TIMEOUT_MS)
    }
}

impl Fetcher {
    fn of(rules: Rules, timeout_ms: u64) -> Self {
        Self {
            rules,
            timeout_ms,
            client: OnceLock::new(),
        }
    }

    /// Returns the file at that URL without checking its content.
    ///
    /// # Errors
    /// [`ImageError::Url`], [`ImageError::TooLarge`]
    pub async fn fetch(&self, url: &str) -> Result<Bytes, ImageError> {
        let url = self.rules.check(url).ok_or(ImageError::Url)?;
        let client = self.client.get_or_init(|| {
            // A proxy would resolve names itself and bypass the checks of addresses.
            let built = http::builder(self.timeout_ms)
                .no_proxy()
                .dns_resolver(Arc::new(CheckedNames(self.rules)))
                .build();
            built.expect("a client with fixed settings can be created")
        });
        // The host is left out, because the caller chose it.
        let span = trace::outgoing_call(&Method::GET, None, None);
        let response = client.get(url).send().instrument(span.clone()).await;
        trace::end_call(&span, response.as_ref().map(Response::status).map_err(|_| "no_answer"));
        let response = response.map_err(|_| ImageError::Url)?;
        if !response.status().is_success() {
            return Err(ImageError::Url);
        }
        let file = http::read(response, MAX_SOURCE_BYTES).await;
        file.map_err(|_| ImageError::Url)?.ok_or(ImageError::TooLarge)
    }
}

impl Rules {
    /// Returns the parsed URL if it is allowed. Host names are checked later, when they are resolved.
    fn check(self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok().filter(|_| text.len() <= MAX_URL_BYTES)?;
        let is_https = url.scheme() == "https" && url.port().is_none() || !self.secure;
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        let host = url.host_str()?.trim_matches(['[', ']']);
        let is_allowed = host.parse().map_or(true, self.is_allowed);
        (is_https && !has_credentials && is_allowed).then_some(url)
    }
}

/// Resolves names, and rejects a name if any of its addresses is not allowed. Connections go only to the checked
/// addresses.
struct CheckedNames(Rules);

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let is_allowed = self.0.is_allowed;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.is_empty() || !found.iter().all(|address| is_allowed(address.ip())) {
                return Err(Box::<dyn Error + Send + Sync>::from("this host may not be asked"));
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
