//! Pictures that are given by URL. Who may give one could otherwise have us look around where we stand: in the network behind us,
//! at the services of the machine, at whatever hands out credentials there.

mod address;

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use bespoke_storage::trace;
use bytes::Bytes;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Method, Response, Url};
use tracing::Instrument as _;

use super::ImageError;
use super::prepare::MAX_SOURCE_BYTES;
use crate::http;

/// How long it may take to get a picture, in milliseconds.
const TIMEOUT_MS: u64 = 3_000;
/// The longest URL that is taken, in bytes.
const MAX_URL_BYTES: usize = 2_048;

/// What may be fetched.
#[derive(Clone, Copy)]
struct Rules {
    /// Whether anything else than `https` on its own port is refused.
    secure: bool,
    /// Whether a host of that address may be asked.
    may_ask: fn(IpAddr) -> bool,
}

/// Fetches pictures from public hosts, by `https` alone, without following anybody elsewhere.
pub struct Fetcher {
    rules: Rules,
    timeout_ms: u64,
    client: OnceLock<Client>,
}

impl Default for Fetcher {
    fn default() -> Self {
        let rules = Rules {
            secure: true,
            may_ask: address::is_public,
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

    /// The file at that URL; it is not looked into yet.
    ///
    /// # Errors
    /// [`ImageError::Url`], [`ImageError::TooLarge`]
    pub async fn fetch(&self, url: &str) -> Result<Bytes, ImageError> {
        let url = self.rules.check(url).ok_or(ImageError::Url)?;
        let client = self.client.get_or_init(|| {
            // A proxy would look names up for itself, and ask whom it likes.
            let built = http::builder(self.timeout_ms)
                .no_proxy()
                .dns_resolver(Arc::new(CheckedNames(self.rules)))
                .build();
            built.expect("a client of fixed settings can be made")
        });
        // Without the host, which the caller chose.
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
    /// The URL, when it may be asked as far as can be seen from its text. Its name is looked at when it is resolved.
    fn check(self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok().filter(|_| text.len() <= MAX_URL_BYTES)?;
        let plain = url.scheme() == "https" && url.port().is_none() || !self.secure;
        let anonymous = url.username().is_empty() && url.password().is_none();
        let host = url.host_str()?.trim_matches(['[', ']']);
        let known = host.parse().map_or(true, self.may_ask);
        (plain && anonymous && known).then_some(url)
    }
}

/// Resolves names to the addresses that are then asked, and to no other; not at all when one of them may not be asked.
struct CheckedNames(Rules);

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let may_ask = self.0.may_ask;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.is_empty() || !found.iter().all(|address| may_ask(address.ip())) {
                return Err(Box::<dyn Error + Send + Sync>::from("this host may not be asked"));
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
