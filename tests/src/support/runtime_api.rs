//! The Lambda Runtime API and Extensions API, enough of them to run a function's own binary as Lambda would.
//!
//! One emulator runs one process, like one execution environment: it delivers one event at a time, and the process
//! stays alive between them. From <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html> and
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>. Not implemented: SnapStart, the Telemetry API, and
//! events for extensions, because the runtime's own shutdown helper subscribes to none.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{self, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::secrets;

/// The time limit of an invocation: far above the duration of any of our functions.
const INVOCATION_LIMIT: Duration = Duration::from_secs(30);

/// The largest buffered response, in bytes, as in Lambda's own error message.
const RESPONSE_LIMIT_BYTES: usize = 6_291_556;

/// The X-Ray span above each invocation.
pub const X_RAY_PARENT: &str = "53995c3f42cd8ad8";

/// Ends the JSON prelude of a streamed HTTP response.
const PRELUDE_END: [u8; 8] = [0; 8];

/// Why an invocation returned no response.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The function reported an error for this event. Its process is still alive.
    #[error("the function failed: {kind}: {message}")]
    Function {
        /// The `errorType` of the function.
        kind: String,
        /// The `errorMessage` of the function.
        message: String,
    },
    /// The process has ended. Its report to `/runtime/init/error`, if any, is the last line of the log.
    #[error("the process ended with {}; it wrote:\n{}", .0.status, .0.log)]
    Exited(Exit),
    /// No response within 30 seconds.
    #[error("no answer within {INVOCATION_LIMIT:?}; the process wrote:\n{log}")]
    TimedOut {
        /// Standard output and standard error of the process so far.
        log: String,
    },
}

/// How a process ended.
#[derive(Debug, Clone)]
pub struct Exit {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output and standard error, in the order of arrival, as in its log group.
    pub log: String,
}

type Answer = Result<Value, InvokeError>;

/// State that the HTTP side and the test's side share.
struct Environment {
    name: String,
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<(String, Value)>>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
    log: Mutex<String>,
}

impl Environment {
    fn answer(&self, request_id: &str, answer: Answer) -> StatusCode {
        match lock(&self.waiting).remove(request_id) {
            // The test may have given up on it, which must not matter to the function.
            Some(asker) => {
                let _ = asker.send(answer);
                StatusCode::ACCEPTED
            }
            None => StatusCode::BAD_REQUEST,
        }
    }

    fn write(&self, line: &str) {
        let mut log = lock(&self.log);
        log.push_str(line);
        log.push('\n');
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An execution environment that waits for its function.
pub struct RuntimeApi {
    listener: TcpListener,
    address: SocketAddr,
}

impl RuntimeApi {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Panics
    /// If there is none.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        Self { listener, address }
    }

    /// Starts `binary` with the variables that Lambda sets, and `env`, without the test's own environment. Its
    /// function name is its file name. The process ends when the returned value is dropped.
    ///
    /// # Panics
    /// If `binary` cannot be executed, or outside of a tokio runtime.
    #[must_use = "the process is killed on drop"]
    pub fn spawn(self, binary: &Path, env: &[(&str, &str)]) -> Function {
        let name = binary.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (queue, events) = mpsc::unbounded_channel();
        let environment = Arc::new(Environment {
            events: tokio::sync::Mutex::new(events),
            waiting: Mutex::default(),
            log: Mutex::default(),
            name,
        });
        let child = lambda_command(binary, &environment.name, self.address)
            .envs(env.iter().copied())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", binary.display()));
        let (ended, exit) = watch::channel(None);
        let pid = child.id().expect("the child was not awaited");

        let mut tasks = JoinSet::new();
        let routes = routes(Arc::clone(&environment));
        tasks.spawn(async move {
            axum::serve(self.listener, routes)
                .await
                .expect("axum::serve returns no error");
        });
        tasks.spawn(watch_over(child, Arc::clone(&environment), ended));
        Function {
            environment,
            queue,
            exit,
            pid,
            next_id: AtomicU64::new(1),
            _tasks: tasks,
        }
    }
}

fn lambda_command(binary: &Path, name: &str, address: SocketAddr) -> Command {
    let root = binary.parent().unwrap_or(Path::new("/"));
    let mut command = Command::new(binary);
    command
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("LAMBDA_TASK_ROOT", root);
    command.envs([
        ("AWS_LAMBDA_FUNCTION_NAME", name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/test"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("_HANDLER", "bootstrap"),
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ]);
    command
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Owns the child: dropping this future kills it.
async fn watch_over(mut child: Child, environment: Arc<Environment>, ended: watch::Sender<Option<ExitStatus>>) {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (status, (), ()) = tokio::join!(child.wait(), copy(stdout, &environment), copy(stderr, &environment));
    ended.send_replace(Some(status.expect("a child process can be awaited")));
}

async fn copy(from: Option<impl AsyncRead + Unpin>, to: &Environment) {
    let mut lines = BufReader::new(from.expect("the stream is piped")).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        to.write(&String::from_utf8_lossy(&line));
    }
}

/// A running function.
pub struct Function {
    environment: Arc<Environment>,
    queue: mpsc::UnboundedSender<(String, Value)>,
    exit: watch::Receiver<Option<ExitStatus>>,
    pid: u32,
    next_id: AtomicU64,
    _tasks: JoinSet<()>,
}

impl Function {
    /// Delivers one event to the function and waits for its response. A streamed response has the shape of a buffered one:
    /// `statusCode`, `headers`, `cookies`, `body`, `isBase64Encoded` (true if the body is not UTF-8).
    ///
    /// # Errors
    /// See [`InvokeError`].
    pub async fn invoke(&self, event: Value) -> Result<Value, InvokeError> {
        plant(&event);
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        let request_id = format!("00000000-0000-4000-8000-{number:012}");
        let (asker, answer) = oneshot::channel();
        lock(&self.environment.waiting).insert(request_id.clone(), asker);
        self.queue
            .send((request_id, event))
            .expect("the environment holds the other end");
        let outcome = timeout(INVOCATION_LIMIT, async {
            tokio::select! {
                biased;
                answer = answer => answer.expect("the environment responds to each event that it accepts"),
                exit = self.ended() => Err(InvokeError::Exited(exit)),
            }
        });
        let outcome = outcome
            .await
            .unwrap_or_else(|_| Err(InvokeError::TimedOut { log: self.log() }));
        if let Ok(answer) = &outcome {
            secrets::plant_answered(&body_of(answer));
        }
        outcome
    }

    /// Standard output and standard error of the process so far.
    pub fn log(&self) -> String {
        lock(&self.environment.log).clone()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Ends the process as Lambda ends one with an extension: SIGTERM, then SIGKILL if it is still alive. Lambda waits 500 ms
    /// in between; this waits as long as an invocation may take, so that a slow machine fails no test.
    ///
    /// # Panics
    /// If the process survives the SIGTERM.
    pub async fn terminate(self) -> Exit {
        self.signalled("TERM").await
    }

    /// Ends the process like a failing machine: SIGKILL, immediately.
    ///
    /// # Panics
    /// If the process survives it.
    pub async fn kill(self) -> Exit {
        self.signalled("KILL").await
    }

    async fn signalled(&self, signal: &str) -> Exit {
        // The standard library has no signals, and kills only a child that it owns.
        let kill = Command::new("/bin/sh")
            .args(["-c", &format!("kill -{signal} {}", self.pid)])
            .status();
        let exit = timeout(INVOCATION_LIMIT, async { tokio::join!(kill, self.ended()).1 });
        exit.await.expect("the process ends on a signal")
    }

    async fn ended(&self) -> Exit {
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await.ok().and_then(|status| *status);
        Exit {
            status: status.expect("the sender lives until there is a status"),
            log: self.log(),
        }
    }
}

impl Drop for Function {
    /// A function whose test succeeds has logged no secret.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            secrets::check_output(&self.log());
        }
    }
}

fn body_of(message: &Value) -> Value {
    let body = message["body"].as_str().unwrap_or_default();
    serde_json::from_str(body).unwrap_or_default()
}

/// Remembers the values of the event that no log may contain.
fn plant(event: &Value) {
    secrets::plant_sent(&body_of(event));
    if let Some(value) = event["headers"]["authorization"].as_str() {
        secrets::plant_credentials(value);
    }
}

fn routes(environment: Arc<Environment>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(environment_error))
        .route("/2020-01-01/extension/register", post(register))
        .route("/2020-01-01/extension/event/next", get(std::future::pending::<()>))
        .route("/2020-01-01/extension/init/error", post(environment_error))
        .route("/2020-01-01/extension/exit/error", post(environment_error))
        .with_state(environment)
}

async fn next(State(environment): State<Arc<Environment>>) -> Response {
    let next = environment.events.lock().await.recv().await;
    let Some((request_id, event)) = next else {
        // The test dropped the function, so no more events arrive.
        return std::future::pending().await;
    };
    let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{}", environment.name);
    let headers = [
        ("Lambda-Runtime-Aws-Request-Id", request_id),
        ("Lambda-Runtime-Deadline-Ms", deadline_ms().to_string()),
        ("Lambda-Runtime-Invoked-Function-Arn", arn),
        ("Lambda-Runtime-Trace-Id", x_ray_of(&event)),
    ];
    (headers, Json(event)).into_response()
}

/// The X-Ray trace of a function without active tracing: that of the gateway, not sampled.
fn x_ray_of(event: &Value) -> String {
    let root = event["headers"]["x-amzn-trace-id"].as_str();
    let root = root.unwrap_or("Root=1-00000000-000000000000000000000000");
    format!("{root};Parent={X_RAY_PARENT};Sampled=0")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the function compares it with the time of the real clock"
)]
fn deadline_ms() -> u128 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since_epoch + INVOCATION_LIMIT).as_millis()
}

async fn response(
    State(environment): State<Arc<Environment>>,
    extract::Path(request_id): extract::Path<String>,
    headers: HeaderMap,
    body: Body,
) -> StatusCode {
    let streaming = headers
        .get("Lambda-Runtime-Function-Response-Mode")
        .is_some_and(|mode| mode == "streaming");
    let answer = match body.collect().await {
        Err(error) => Err(failure("Runtime.TruncatedResponse", &error.to_string())),
        Ok(body) if streaming => streamed(&body.to_bytes()),
        Ok(body) => buffered(&body.to_bytes()),
    };
    let too_large =
        matches!(&answer, Err(InvokeError::Function { kind, .. }) if kind == "Function.ResponseSizeTooLarge");
    match environment.answer(&request_id, answer) {
        StatusCode::ACCEPTED if too_large => StatusCode::PAYLOAD_TOO_LARGE,
        status => status,
    }
}

fn buffered(body: &[u8]) -> Answer {
    if body.len() > RESPONSE_LIMIT_BYTES {
        let message = format!("{} bytes are more than {RESPONSE_LIMIT_BYTES}", body.len());
        return Err(failure("Function.ResponseSizeTooLarge", &message));
    }
    serde_json::from_slice(body).map_err(|error| failure("Runtime.InvalidResponse", &error.to_string()))
}

fn streamed(body: &[u8]) -> Answer {
    let end = body.windows(PRELUDE_END.len()).position(|window| window == PRELUDE_END);
    let end = end.ok_or_else(|| failure("Runtime.InvalidResponse", "a streamed response without a prelude"))?;
    let mut response = buffered(&body[..end])?;
    let body = &body[end + PRELUDE_END.len()..];
    let (text, encoded) = match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (BASE64_STANDARD.encode(body), true),
    };
    response["body"] = text.into();
    response["isBase64Encoded"] = encoded.into();
    Ok(response)
}

async fn error(
    State(environment): State<Arc<Environment>>,
    extract::Path(request_id): extract::Path<String>,
    body: Bytes,
) -> StatusCode {
    let report = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let field = |name: &str| report[name].as_str().unwrap_or_default().to_owned();
    let failure = failure(&field("errorType"), &field("errorMessage"));
    environment.answer(&request_id, Err(failure))
}

fn failure(kind: &str, message: &str) -> InvokeError {
    InvokeError::Function {
        kind: kind.to_owned(),
        message: message.to_owned(),
    }
}

/// Init and extension errors: the process exits after reporting one, and the test sees its exit.
async fn environment_error(State(environment): State<Arc<Environment>>, body: Bytes) -> StatusCode {
    environment.write(&String::from_utf8_lossy(&body));
    StatusCode::ACCEPTED
}

async fn register(State(environment): State<Arc<Environment>>) -> Response {
    let body = json!({ "functionName": environment.name, "functionVersion": "$LATEST", "handler": "bootstrap" });
    (
        [("Lambda-Extension-Identifier", "00000000-0000-4000-8000-000000000000")],
        Json(body),
    )
        .into_response()
}

#[cfg(test)]
#[path = "runtime_api_tests.rs"]
mod tests;
