//! The entry points of Lambda functions: [`run`], [`run_maintenance`] and [`run_all`].

use std::sync::{Arc, OnceLock};

use bespoke_services::mail::{MailSettings, Mailer};
use futures_util::future::Either;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Error, LambdaEvent, Service, service_fn};
use serde::Serialize;
use serde_json::Value;

use super::maintenance::{WorkResult, is_work, work};
use super::process::Process;
use super::request::{answer, is_default, prepare};
use super::telemetry::Telemetry;
use crate::config::{Environment, Overrides};
use crate::gateway::Gateway;
use crate::observability::{SpanExport, logging};
use crate::routes::Routes;
use crate::state::{Context, Dependencies};
use crate::system::keep_files_private;

/// The name of the function that runs maintenance and serves no route.
const MAINTENANCE: &str = "maintenance";
/// The name of the function that serves all routes.
const ALL: &str = "all";

/// Runs one function: reads the configuration, syncs the database, and handles events until Lambda ends the process.
///
/// # Errors
/// If the configuration is invalid or the bucket cannot be opened. Lambda reports it as a failed start.
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
                prepare(&mut event.payload);
                requests.call(event)
            }))
            .await
        },
    )
}

/// Runs the function for [`crate::maintenance`]. `mailer` creates the mailer that sends mails. An invocation fails if a task fails.
///
/// # Errors
/// The errors of [`run`].
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

/// The gateways of the function that serves all routes.
struct Gateways {
    all: Gateway,
    /// Serves requests for which the API gateway has no route.
    default: Gateway,
}

/// Runs the function that serves the routes of all functions and does the work of [`run_maintenance`]. Only `default` serves requests for
/// which the API gateway has no route, so that another spelling of a path cannot bypass the throttle of its route.
///
/// # Errors
/// The errors of [`run`].
pub fn run_all<E: Into<Error>>(
    functions: Vec<Routes>,
    default: Routes,
    mailer: impl FnOnce(&MailSettings) -> Result<Arc<dyn Mailer>, E>,
) -> Result<(), Error> {
    let mailer = |settings: &MailSettings| mailer(settings).map(Some).map_err(Into::into);
    let enter = move |context: &Context| Gateways {
        all: Gateway::new(context.clone(), functions.clone()),
        default: Gateway::new(context.clone(), [default.clone()]),
    };
    start(mailer, enter, async |process, export| {
        let telemetry = Telemetry::new(ALL, export);
        let (process_of_requests, telemetry_of_requests) = (Arc::clone(&process), telemetry.clone());
        let mut requests = Adapter::from(service_fn(move |event| {
            let (process, telemetry) = (Arc::clone(&process_of_requests), telemetry_of_requests.clone());
            async move {
                let opened = process.opened().await;
                let Gateways { all, default } = &opened.entry;
                let gateway = if is_default(&event) { default } else { all };
                let response = answer(gateway, event).await;
                telemetry.send(&opened.context).await;
                response
            }
        }));
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
            let (process, telemetry) = (Arc::clone(&process), telemetry.clone());
            let (event, invocation) = event.into_parts();
            if is_work(&event) {
                return Either::Left(async move {
                    let opened = process.opened().await;
                    let outcome = work(&opened.context, event).await;
                    telemetry.send(&opened.context).await;
                    outcome.map(InvocationResult::WorkResult)
                });
            }
            let response = serde_json::from_value(event).map(|mut request| {
                prepare(&mut request);
                requests.call(LambdaEvent::new(request, invocation))
            });
            Either::Right(async move { Ok::<_, Error>(InvocationResult::Response(response?.await?)) })
        }))
        .await
    })
}

/// The result of an invocation of the function that serves all routes.
#[derive(Serialize)]
#[serde(untagged)]
enum InvocationResult<R> {
    Response(R),
    WorkResult(WorkResult),
}

/// The number of yields to the async runtime until the registration with Lambda is sent: connect, handshake, send.
const YIELDS_TO_REGISTER: usize = 3;

/// Starts the process. `enter` creates the entry (for example a gateway) for a context, and `serve` handles events with it. Usage counters
/// are stored in the bucket before Lambda ends the process.
fn start<T: Send + Sync + 'static>(
    mailer: impl FnOnce(&MailSettings) -> Result<Option<Arc<dyn Mailer>>, Error>,
    enter: impl Fn(&Context) -> T + Send + Sync + 'static,
    serve: impl AsyncFnOnce(Arc<Process<T>>, SpanExport) -> Result<(), Error>,
) -> Result<(), Error> {
    keep_files_private();
    let environment = Environment::read(Overrides::default());
    let export = logging::start_with_spans(&environment);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Lambda may end the process before it has started, so the shutdown handler finds it here.
        let started = Arc::new(OnceLock::<Arc<Process<T>>>::new());
        let started_at_shutdown = Arc::clone(&started);
        let put_usage = move || async move {
            if let Some(process) = started_at_shutdown.get() {
                process.newest().context.put_usage().await;
            }
        };
        let handler = lambda_runtime::spawn_graceful_shutdown_handler(put_usage);
        let open = async {
            // Lambda processes the registration while the database is opened.
            for _ in 0..YIELDS_TO_REGISTER {
                tokio::task::yield_now().await;
            }
            Process::start(environment, Dependencies::system(), mailer, enter).await
        };
        let ((), process) = tokio::join!(handler, open);
        let process = Arc::new(process.inspect_err(|error| tracing::error!(%error, "the function cannot start"))?);
        // This cannot fail, because the process is set only here.
        let _ = started.set(Arc::clone(&process));
        serve(process, export).await
    })
}
