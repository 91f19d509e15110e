//! `bespoke invoke`: passes one event to the Lambda function for its path.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use bespoke_web::config::Environment;
use bespoke_web::{Gateway, Overrides, lambda, logging};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, LambdaEvent, Service, service_fn};
use serde_json::Value;

use super::functions;
use crate::start::Expect;
use crate::{output, start};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// File with an API Gateway event (HTTP API, payload version 2.0), or one of a schedule; `-` reads standard input
    #[arg(value_name = "EVENT.json")]
    event: PathBuf,
}

/// Invokes the function, and prints only its response. Succeeds if the function responded, with any status.
pub(crate) fn run(arguments: &Arguments, data_dir: Option<PathBuf>) -> Result<()> {
    let environment = Environment::read(Overrides {
        data_dir,
        allow_demo_key: true,
        port: None,
    });
    logging::start(&environment);
    let event = read(arguments).with_context(|| format!("cannot read {}", arguments.event.display()))?;
    let event: Value = serde_json::from_str(&event).context("the event is not JSON")?;
    if lambda::is_schedule(&event) {
        return start::block_on(maintain(environment, event));
    }
    let path = event["rawPath"]
        .as_str()
        .context("the event has no rawPath: it is not a gateway event of version 2.0")?;
    let routes = functions::for_path(path);
    let mut request: LambdaRequest = serde_json::from_value(event).context("the event is not one of API Gateway")?;
    lambda::prepare(&mut request);
    start::block_on(async {
        let context = start::open(environment, Expect::Installation, None).await?;
        let gateway = Gateway::new(context.clone(), [routes]);
        let mut function = Adapter::from(service_fn(|event| lambda::answer(&gateway, event)));
        let event = LambdaEvent::new(request, lambda_http::Context::default());
        // The crate of the Lambda runtime panics on events that no gateway sends, for example with an invalid host or
        // a body that is not base64.
        let call = catch_unwind(AssertUnwindSafe(|| function.call(event)));
        let Ok(response) = call
            .map_err(|_| anyhow!("the event cannot be converted to a request"))?
            .await;
        output::say!("{}", serde_json::to_string(&response)?);
        context.database().clone().close().await;
        Ok(())
    })
}

/// Runs the tasks of the function `maintenance` for a scheduled event.
async fn maintain(environment: Environment, event: Value) -> Result<()> {
    let context = start::open(environment, Expect::Installation, None).await?;
    let results = lambda::maintain(&context, event).await;
    let results = results.map_err(|error| anyhow!("{error}"))?;
    output::say!("{}", serde_json::to_string(&results)?);
    context.database().clone().close().await;
    Ok(())
}

fn read(arguments: &Arguments) -> std::io::Result<String> {
    if arguments.event.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(&arguments.event)
}
