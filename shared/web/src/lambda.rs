//! The entry of a Lambda function.

mod deployment;
mod request;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bespoke_services::mail::{MailSettings, Mailer};
use futures_util::future::Either;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Error, LambdaEvent, Service, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::deployment::Deployed;
pub use self::request::{answer, encode_query};
use crate::config::Environment;
use crate::maintenance::{Done, Task};
use crate::metrics::line::Line;
use crate::{Config, Context, Gateway, Overrides, Routes, Surroundings, logging};

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
        async |context| {
            let gateway = Arc::new(Gateway::new(context.clone(), [routes]));
            let lines = Lines::new(context, function);
            let mut requests = Adapter::from(service_fn(move |event| {
                let (gateway, lines) = (Arc::clone(&gateway), lines.clone());
                async move {
                    let response = answer(&gateway, event).await;
                    lines.write();
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
    start(mailer, async |context| {
        let lines = Lines::new(context.clone(), MAINTENANCE);
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
            let (context, lines) = (context.clone(), lines.clone());
            async move {
                let outcome = work(&context, event.payload).await;
                lines.write();
                outcome
            }
        }))
        .await
    })
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
    start(mailer, async |context| {
        let gateway = Arc::new(Gateway::new(context.clone(), functions));
        let default = Arc::new(Gateway::new(context.clone(), [default]));
        let lines = Lines::new(context.clone(), ALL);
        let lines_of_requests = lines.clone();
        let mut requests = Adapter::from(service_fn(move |event| {
            let gateway = Arc::clone(if request::is_default(&event) {
                &default
            } else {
                &gateway
            });
            let lines = lines_of_requests.clone();
            async move {
                let response = answer(&gateway, event).await;
                lines.write();
                response
            }
        }));
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
            let (context, lines) = (context.clone(), lines.clone());
            let (event, invocation) = event.into_parts();
            if is_work(&event) {
                return Either::Left(async move {
                    let outcome = work(&context, event).await;
                    lines.write();
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

/// Writes the lines for metrics of one function.
#[derive(Clone)]
struct Lines {
    context: Context,
    function: &'static str,
    line: Arc<Mutex<Line>>,
}

impl Lines {
    fn new(context: Context, function: &'static str) -> Self {
        Self {
            context,
            function,
            line: Arc::default(),
        }
    }

    fn write(&self) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.write(&self.context, self.function);
    }
}

/// How often the runtime has to turn until the registration is sent: it connects, begins to speak, speaks.
const TURNS_TO_REGISTER: usize = 3;

/// What a schedule says.
#[derive(Deserialize)]
struct Order {
    /// All of them where none is named.
    tasks: Option<Vec<Task>>,
}

/// The result of an event that is no request.
#[derive(Serialize)]
#[serde(untagged)]
enum Work {
    Done(Vec<Done>),
    Deployed(Deployed),
}

fn is_work(event: &Value) -> bool {
    is_schedule(event) || deployment::is_step(event)
}

/// Does the work of an event that is no request.
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

/// Starts the process, and lets `serve` answer its events. What was counted goes to the bucket before Lambda ends it.
fn start(
    mailer: impl FnOnce(&MailSettings) -> Result<Option<Arc<dyn Mailer>>, Error>,
    serve: impl AsyncFnOnce(Context) -> Result<(), Error>,
) -> Result<(), Error> {
    crate::keep_files_private();
    let environment = Environment::read(Overrides::default());
    logging::start(environment.log_filter());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut surroundings = Surroundings::system();
        let config = Config::load(environment, &*surroundings.random)?;
        surroundings.mailer = mailer(&config.mail)?;
        let opened = Arc::new(OnceLock::<Context>::new());
        let ending = Arc::clone(&opened);
        let put_usage = move || async move {
            if let Some(context) = ending.get() {
                context.put_usage().await;
            }
        };
        let told = lambda_runtime::spawn_graceful_shutdown_handler(put_usage);
        let open = async {
            // Lambda answers the registration while the database is opened.
            for _ in 0..TURNS_TO_REGISTER {
                tokio::task::yield_now().await;
            }
            Context::open(config, surroundings).await
        };
        let ((), context) = tokio::join!(told, open);
        let context = context?;
        // Nobody else sets it.
        let _ = opened.set(context.clone());
        serve(context).await
    })
}
