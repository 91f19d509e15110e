//! `bespoke lookup`: the measurements of a set of any installation, for shells and CI.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bespoke_core::EntityId;
use serde_json::Value;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use crate::output;

/// Where the API key is read from: `<key>:<secret>`. Not an argument, which everybody on the machine could read.
const KEY_VARIABLE: &str = "BESPOKE_KEY";
/// How long the whole call may take, in seconds.
const DEADLINE_S: u64 = 30;

/// What became of a lookup. A script tells them apart by the exit code; 1 is any other failure, 2 a command that was not
/// understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Complete = 0,
    Incomplete = 3,
    Refused = 4,
    Missing = 5,
    Unreachable = 6,
}

/// Exit codes: 0 found and complete, 3 incomplete for the design, 4 refused, 5 not found, 6 unreachable, 1 anything else.
#[derive(clap::Args)]
#[command(
    after_help = "The API key is read from BESPOKE_KEY, as <key>:<secret>; without it, the set has to be public.\n\
    Exit codes: 0 found and complete, 3 incomplete for the design, 4 refused, 5 not found, 6 unreachable, 1 anything else."
)]
pub(crate) struct Arguments {
    /// The set: its id, its UUID, or (with a key) its name
    set: String,
    /// URL of the API
    #[arg(long)]
    url: String,
    /// A design: print what it is drafted from, and fail when something that it requires is missing
    #[arg(long)]
    design: Option<String>,
    /// Unit of lengths
    #[arg(long, default_value = "mm", value_parser = ["mm", "cm", "in"])]
    units: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let is_url = arguments.url.starts_with("http://") || arguments.url.starts_with("https://");
    if !is_url || arguments.url.parse::<ureq::http::Uri>().is_err() {
        bail!("`{}` is no URL", arguments.url);
    }
    let key = key()?;
    let mut request = agent()
        .get(url(arguments, key.is_some())?)
        .query("units", &arguments.units);
    if EntityId::parse(&arguments.set).is_none() {
        request = request.query("name", &arguments.set);
    }
    if let Some(design) = &arguments.design {
        request = request.query("design", design);
    }
    if let Some(key) = key {
        request = request.header("Authorization", format!("Basic {}", STANDARD.encode(key)));
    }
    let found = match request.call() {
        Ok(mut response) => {
            let status = response.status().as_u16();
            let body = response.body_mut().read_to_string().unwrap_or_default();
            judge(status, &serde_json::from_str(&body).unwrap_or_default())?
        }
        Err(error) => {
            eprintln!("bespoke: {} cannot be reached: {error}", arguments.url);
            Found::Unreachable
        }
    };
    Ok(ExitCode::from(found as u8))
}

/// The API key of the environment; `None` where there is none.
#[expect(
    clippy::disallowed_methods,
    reason = "it is the key of a client, and no setting of an installation"
)]
fn key() -> Result<Option<String>> {
    let key = std::env::var(KEY_VARIABLE).ok().filter(|key| !key.is_empty());
    match key {
        Some(key) if !key.contains(':') => bail!("{KEY_VARIABLE} is no <key>:<secret>"),
        key => Ok(key),
    }
}

/// Where the lookup is answered; the name of a set goes into the query.
fn url(arguments: &Arguments, with_key: bool) -> Result<String> {
    let base = arguments.url.trim_end_matches('/');
    let set = &arguments.set;
    match (EntityId::parse(set).is_some(), with_key) {
        (true, true) => Ok(format!("{base}/sets/{set}/measurements/key")),
        (true, false) => Ok(format!("{base}/sets/{set}/measurements")),
        (false, true) => Ok(format!("{base}/sets/lookup/key")),
        (false, false) => bail!("to find a set by its name, set {KEY_VARIABLE} to <key>:<secret>"),
    }
}

fn agent() -> Agent {
    let provider = rustls::crypto::ring::default_provider();
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(provider))
        .root_certs(RootCerts::PlatformVerifier);
    let config = Agent::config_builder()
        .tls_config(tls.build())
        .timeout_global(Some(Duration::from_secs(DEADLINE_S)))
        .http_status_as_error(false)
        // A key goes to nobody else.
        .max_redirects(0)
        .max_redirects_will_error(false);
    config.build().into()
}

/// Prints an answer and says what it means: the verdict on standard output, everything else on standard error.
fn judge(status: u16, body: &Value) -> Result<Found> {
    let code = body["error"].as_str().unwrap_or("no reason given");
    match status {
        200 if body["measurements"].is_object() => {}
        401 | 403 | 429 | 451 => {
            eprintln!("bespoke: refused: {code}");
            return Ok(Found::Refused);
        }
        404 => {
            eprintln!("bespoke: there is no such set");
            return Ok(Found::Missing);
        }
        500.. => {
            eprintln!("bespoke: the API is not there now: {status} {code}");
            return Ok(Found::Unreachable);
        }
        _ => bail!("the API answers {status} {code}"),
    }
    let text = serde_json::to_string_pretty(body).context("the answer cannot be printed")?;
    output::say!("{text}");
    for warning in body["warnings"].as_array().into_iter().flatten() {
        let (severity, message) = (warning["severity"].as_str(), warning["message"].as_str());
        eprintln!(
            "bespoke: {}: {}",
            severity.unwrap_or("hint"),
            message.unwrap_or_default()
        );
    }
    if body["design"]["complete"] != false {
        return Ok(Found::Complete);
    }
    let missing = body["design"]["missing"].as_array().into_iter().flatten();
    let missing: Vec<_> = missing.filter_map(Value::as_str).collect();
    eprintln!("bespoke: incomplete, missing: {}", missing.join(", "));
    Ok(Found::Incomplete)
}
