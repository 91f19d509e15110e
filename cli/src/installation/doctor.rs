//! `bespoke doctor`: checks an installation, and advises how to solve problems.

mod checks;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Error, Result};
use bespoke_web::config::ConfigError;
use bespoke_web::{Context, Dependencies};
use serde_json::{Value, json};

use crate::start::Expect;
use crate::{output, start};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// Result of a check.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    /// It works, but possibly not as intended.
    Doubtful,
    Bad,
}

/// The result of one check, described for the operator.
struct Finding {
    subject: &'static str,
    state: State,
    /// The finding in words.
    what: String,
    /// Advice to the operator.
    advice: String,
}

impl Finding {
    fn new(subject: &'static str, state: State, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            subject,
            state,
            what: what.into(),
            advice: advice.into(),
        }
    }

    fn good(subject: &'static str, what: impl Into<String>) -> Self {
        Self::new(subject, State::Good, what, "")
    }

    fn as_json(&self) -> Value {
        json!({
            "subject": self.subject,
            "state": self.state.name(),
            "what": self.what,
            "advice": self.advice,
        })
    }

    fn print(&self) {
        output::say!("{:<9}{:<15}{}", self.state.name(), self.subject, self.what);
        if !self.advice.is_empty() {
            output::say!("{:24}-> {}", "", self.advice);
        }
    }
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Doubtful => "doubtful",
            Self::Bad => "bad",
        }
    }
}

/// Returns the finding for an error of the configuration, the keys or the bucket. No other checks can run after it.
fn unusable(error: &Error) -> Finding {
    match error.downcast_ref::<ConfigError>() {
        Some(ConfigError::NoKey { .. } | ConfigError::KeyFile { .. }) => {
            Finding::new("keys", State::Bad, error.to_string(), checks::ADVICE)
        }
        Some(_) => {
            let advice = "correct it; docs/configuration.md lists every setting";
            Finding::new("configuration", State::Bad, error.to_string(), advice)
        }
        None => Finding::new("store", State::Bad, format!("{error:#}"), checks::ADVICE),
    }
}

pub(crate) fn run(arguments: &Arguments, data_dir: Option<PathBuf>) -> Result<ExitCode> {
    let environment = start::environment(data_dir);
    let findings = start::block_on(async {
        let dependencies = Dependencies::system();
        let config = match start::configuration(environment, Expect::InstallationOrIncomplete, &dependencies).await {
            Ok(config) => config,
            Err(error) => return Ok(vec![unusable(&error)]),
        };
        let mut findings = checks::configuration(&config);
        match Context::open_incomplete(config, dependencies).await {
            Err(error) => findings.push(Finding::new("store", State::Bad, error.to_string(), checks::ADVICE)),
            Ok(context) => {
                findings.extend(checks::installation(&context).await);
                context.database().clone().close().await;
            }
        }
        Ok(findings)
    })?;
    let is_bad = findings.iter().any(|finding| finding.state == State::Bad);
    output::print(
        arguments.json,
        || findings.iter().map(Finding::as_json).collect(),
        || findings.iter().for_each(Finding::print),
    );
    Ok(output::exit_code(is_bad))
}
