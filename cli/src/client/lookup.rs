//! `bespoke lookup`: looks up the measurements of a set of any installation, for shells and CI.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use bespoke_core::EntityId;
use serde_json::Value;

use super::remote::{KEY_VARIABLE, agent, authorization, base_url};
use crate::output;

/// Timeout of the call, in seconds.
const DEADLINE_S: u64 = 30;

/// The result of a lookup. Scripts distinguish the results by exit code; 1 is any other failure, and 2 is a usage
/// error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
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
    /// A design: print the measurements that it uses, and fail if a required one is missing
    #[arg(long)]
    design: Option<String>,
    /// Unit of lengths
    #[arg(long, default_value = "mm", value_parser = ["mm", "cm", "in"])]
    units: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let base = base_url(&arguments.url)?;
    let authorization = authorization()?;
    let mut request = agent(DEADLINE_S)
        .get(url(base, &arguments.set, authorization.is_some())?)
        .query("units", &arguments.units);
    if EntityId::parse(&arguments.set).is_none() {
        request = request.query("name", &arguments.set);
    }
    if let Some(design) = &arguments.design {
        request = request.query("design", design);
    }
    if let Some(authorization) = authorization {
        request = request.header("Authorization", authorization);
    }
    let outcome = match request.call() {
        Ok(mut response) => {
            let status = response.status().as_u16();
            let body = response.body_mut().read_to_string().unwrap_or_default();
            print_response(status, &serde_json::from_str(&body).unwrap_or_default())?
        }
        Err(error) => {
            eprintln!("bespoke: {} cannot be reached: {error}", arguments.url);
            Outcome::Unreachable
        }
    };
    Ok(ExitCode::from(outcome as u8))
}

/// Returns the URL of the lookup. The name of a set is part of the query.
fn url(base: &str, set: &str, with_key: bool) -> Result<String> {
    match (EntityId::parse(set).is_some(), with_key) {
        (true, true) => Ok(format!("{base}/sets/{set}/measurements/key")),
        (true, false) => Ok(format!("{base}/sets/{set}/measurements")),
        (false, true) => Ok(format!("{base}/sets/lookup/key")),
        (false, false) => bail!("to find a set by its name, set {KEY_VARIABLE} to <key>:<secret>"),
    }
}

/// Prints a response: the result on standard output, everything else on standard error.
fn print_response(status: u16, body: &Value) -> Result<Outcome> {
    let code = body["error"].as_str().unwrap_or("no reason given");
    match status {
        200 if body["measurements"].is_object() => {}
        401 | 403 | 429 | 451 => {
            eprintln!("bespoke: refused: {code}");
            return Ok(Outcome::Refused);
        }
        404 => {
            eprintln!("bespoke: the set does not exist");
            return Ok(Outcome::Missing);
        }
        500.. => {
            eprintln!("bespoke: the API is unavailable: {status} {code}");
            return Ok(Outcome::Unreachable);
        }
        _ => bail!("the API answers {status} {code}"),
    }
    let text = serde_json::to_string_pretty(body).context("the response cannot be printed")?;
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
        return Ok(Outcome::Complete);
    }
    let missing = body["design"]["missing"].as_array().into_iter().flatten();
    let missing: Vec<_> = missing.filter_map(Value::as_str).collect();
    eprintln!("bespoke: incomplete, missing: {}", missing.join(", "));
    Ok(Outcome::Incomplete)
}
