//! Prepares API calls to any installation, authenticated with an API key: the base URL ([`base_url`]),
//! `Authorization` ([`authorization`]), and the HTTP client ([`agent`]).

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// The environment variable with the API key, `<key>:<secret>`. It is not an argument, because every user of the
/// machine can read arguments.
pub(crate) const KEY_VARIABLE: &str = "BESPOKE_KEY";

/// Returns the base URL of an installation without a slash at its end.
///
/// # Errors
/// If it is not an HTTP URL.
pub(crate) fn base_url(url: &str) -> Result<&str> {
    let is_http = url.starts_with("http://") || url.starts_with("https://");
    if !is_http || url.parse::<ureq::http::Uri>().is_err() {
        bail!("`{url}` is not a URL");
    }
    Ok(url.trim_end_matches('/'))
}

/// Returns the value of `Authorization` for the API key in [`KEY_VARIABLE`]; `None` if the variable is not set.
///
/// # Errors
/// If the key has no secret.
#[expect(
    clippy::disallowed_methods,
    reason = "it is the key of a client, not a setting of an installation"
)]
pub(crate) fn authorization() -> Result<Option<String>> {
    let key = std::env::var(KEY_VARIABLE).ok().filter(|key| !key.is_empty());
    match key {
        Some(key) if !key.contains(':') => bail!("{KEY_VARIABLE} is not of the form <key>:<secret>"),
        key => Ok(key.map(|key| format!("Basic {}", STANDARD.encode(key)))),
    }
}

/// Returns an HTTP client with a timeout of `timeout_s` seconds per call.
pub(crate) fn agent(timeout_s: u64) -> Agent {
    let provider = rustls::crypto::ring::default_provider();
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(provider))
        .root_certs(RootCerts::PlatformVerifier);
    let config = Agent::config_builder()
        .tls_config(tls.build())
        .timeout_global(Some(Duration::from_secs(timeout_s)))
        .http_status_as_error(false)
        // The key must not follow a redirect to another host.
        .max_redirects(0)
        .max_redirects_will_error(false);
    config.build().into()
}
