//! The entry of a Lambda function.

mod deployment;
mod process;
mod request;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bespoke_services::mail::{MailSettings, Mailer};
use futures_util::future::Either;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Error, LambdaEvent, Service, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::deployment::Deployed;
use self::process::Process;
pub use self::request::{answer, encode_query};
use crate::config::Environment;
use crate::maintenance::{Done, Task};
use crate::metrics::line::Line;
use crate::{Context, Gateway, Overrides, Routes, SpanExport, Surroundings, logging};

/// The name of the function that serves no route.
const MAINTENANCE: &str = "maintenance";
/// The name of the function that serves all routes.
const ALL: &str = "all";

/// Runs one function: reads the configuration, syncs the database, then answers events until Lambda ends the process.
///
/// # Errors
/// When the configuration or the bucket cannot be used; Lambda reports it as a failed start.
pub fn run(routes: Routes) -> Result<(), Error> {
    let function = routes.function();
    start(
        |_| Ok(None),
        move |context| Gateway::new(context.clone(), [routes.clone()]),
        async |process, export| {
            let telemetry = Telemetry::new(function, export);
            let mut requests = Adapter::from(service_fn(move |event| {
                let (process, telemetry) = (Arc::clone(&process), telemetry.clone());
                async move {
                    let opened = process.opened().await;
                    let response = answer(&opened.entry, event).await;
                    telemetry.send(&opened.context).await;
                    response
                }
            }));
            lambda_runtime::run(service_fn(move |mut event: LambdaEvent<LambdaRequest>| {
                encode_query(&mut event.payload);
                requests.call(event)
            }))
            .await
        },
    )
}

/// Runs the function that does [`crate::maintenance`], and delivers mails by the mailer that `mailer` makes. An invocation fails
/// where a task fails.
///
/// # Errors
/// As [`run`].
pub fn run_maintenance<E: Into<Error>>(
    mailer: impl FnOnce(&MailSettings) -> Result<Arc<dyn Mailer>, E>,
) -> Result<(), Error> {
    let mailer = |settings: &MailSettings| mailer(settings).map(Some).map_err(Into::into);
    start(
        mailer,
        |_| (),
        async |process, export| {
            let telemetry = Telemetry::new(MAINTENANCE, export);
            lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
                let (process, telemetry) = (Arc::clone(&process), telemetry.clone());
                async move {
                    let opened = process.opened().await;
                    let outcome = work(&opened.context, event.payload).await;
                    telemetry.send(&opened.context).await;
                    outcome
                }
            }))
            .await
        },
    )
}

/// The entries of the function that serves all routes.
struct Entries {
    all: Gateway,
    /// For requests for which the gateway has no route.
    default: Gateway,
}

/// Runs the function that serves the routes of all functions and does the work of [`run_maintenance`]. Requests for which the gateway has
/// no route get the answer of `default` alone, so that no other way of writing a path avoids the throttle of its route.
///
/// # Errors
/// As [`run`].
pub fn run_all<E: Into<Error>>(
    functions: Vec<Routes>,
    default: Routes,
    mailer: impl FnOnce(&MailSettings) -> Result<Arc<dyn Mailer>, E>,
) -> Result<(), Error> {
    let mailer = |settings: &MailSettings| mailer(settings).map(Some).map_err(Into::into);
    let enter = move |context: &Context| Entries {
        all: Gateway::new(context.clone(), functions.clone()),
        default: Gateway::new(context.clone(), [default.clone()]),
    };
    start(mailer, enter, async |process, export| {
        let telemetry = Telemetry::new(ALL, export);
        let (worker, telemetry_of_requests) = (Arc::clone(&process), telemetry.clone());
        let mut requests = Adapter::from(service_fn(move |event| {
            let (process, telemetry) = (Arc::clone(&process), telemetry_of_requests.clone());
            async move {
                let opened = process.opened().await;
                let Entries { all, default } = &opened.entry;
                let gateway = if request::is_default(&event) { default } else { all };
                let response = answer(gateway, event).await;
                telemetry.send(&opened.context).await;
                response
            }
        }));
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
            let (process, telemetry) = (Arc::clone(&worker), telemetry.clone());
            let (event, invocation) = event.into_parts();
            if is_work(&event) {
                return Either::Left(async move {
                    let opened = process.opened().await;
                    let outcome = work(&opened.context, event).await;
                    telemetry.send(&opened.context).await;
                    outcome.map(Outcome::Work)
                });
            }
            let response = serde_json::from_value(event).map(|mut request| {
                encode_query(&mut request);
                requests.call(LambdaEvent::new(request, invocation))
            });
            Either::Right(async move { Ok::<_, Error>(Outcome::Response(response?.await?)) })
        }))
        .await
    })
}

/// The result of an invocation of the function that serves all routes.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<R> {
    Response(R),
    Work(Work),
}

/// The spans and the line for metrics that each invocation of one function adds.
#[derive(Clone)]
struct Telemetry {
    function: &'static str,
    line: Arc<Mutex<Line>>,
    export: SpanExport,
}

impl Telemetry {
    fn new(function: &'static str, export: SpanExport) -> Self {
        Self {
            function,
            line: Arc::default(),
            export,
        }
    }

    /// Sends them before the response, because Lambda stops the process after it.
    async fn send(&self, context: &Context) {
        self.export.flush().await;
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.write(context, self.function);
    }
}

/// How often the runtime has to turn until the registration is sent: it connects, begins to speak, speaks.
const TURNS_TO_REGISTER: usize = 3;

/// The order in an event of a schedule.
#[derive(Deserialize)]
struct Order {
    /// All of them where none is named.
    tasks: Option<Vec<Task>>,
}

/// The result of a task or of a step of a deployment.
#[derive(Serialize)]
#[serde(untagged)]
enum Work {
    Done(Vec<Done>),
    Deployed(Deployed),
}

fn is_work(event: &Value) -> bool {
    is_schedule(event) || deployment::is_step(event)
}

/// Does the tasks of a schedule, or reports a step of a deployment.
async fn work(context: &Context, event: Value) -> Result<Work, Error> {
    if deployment::is_step(&event) {
        return deployment::report(context, event).await.map(Work::Deployed);
    }
    maintain(context, event).await.map(Work::Done)
}

/// Whether that is an event of a schedule: it says which tasks are meant, or comes from a schedule of AWS and means all.
pub fn is_schedule(event: &Value) -> bool {
    let from = event["source"].as_str().unwrap_or_default();
    event.get("tasks").is_some() || ["aws.events", "aws.scheduler"].contains(&from)
}

/// Does what a schedule says, as [`run_maintenance`] does.
///
/// # Errors
/// Of an order that makes no sense, and of the first task that failed.
pub async fn maintain(context: &Context, event: Value) -> Result<Vec<Done>, Error> {
    let order: Order = serde_json::from_value(event)?;
    let tasks = order.tasks.unwrap_or_else(|| Task::ALL.to_vec());
    let done = context.maintain(&tasks).await;
    match done.iter().find(|done| done.failed) {
        Some(failed) => Err(Error::from(format!("{:?}: {}", failed.task, failed.outcome))),
        None => Ok(done),
    }
}

/// Starts the process, and lets `serve` answer its events with what `enter` makes of a context. What was counted goes to the bucket before
/// Lambda ends the process.
fn start<T: Send + Sync + 'static>(
    mailer: impl FnOnce(&MailSettings) -> Result<Option<Arc<dyn Mailer>>, Error>,
    enter: impl Fn(&Context) -> T + Send + Sync + 'static,
    serve: impl AsyncFnOnce(Arc<Process<T>>, SpanExport) -> Result<(), Error>,
) -> Result<(), Error> {
    crate::keep_files_private();
    let environment = Environment::read(Overrides::default());
    let export = logging::start_with_spans(&environment);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let ending = Arc::new(OnceLock::<Arc<Process<T>>>::new());
        let started = Arc::clone(&ending);
        let put_usage = move || async move {
            if let Some(process) = ending.get() {
                process.newest().context.put_usage().await;
            }
        };
        let told = lambda_runtime::spawn_graceful_shutdown_handler(put_usage);
        let open = async {
            // Lambda answers the registration while the database is opened.
            for _ in 0..TURNS_TO_REGISTER {
                tokio::task::yield_now().await;
            }
            Process::start(environment, Surroundings::system(), mailer, enter).await
        };
        let ((), process) = tokio::join!(told, open);
        let process = Arc::new(process.inspect_err(|error| tracing::error!(%error, "the function cannot start"))?);
        // Nobody else sets it.
        let _ = started.set(Arc::clone(&process));
        serve(process, export).await
    })
}
