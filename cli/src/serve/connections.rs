//! [`accept`]: accepts the connections of `bespoke serve`, with limits of their number and duration.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bespoke_web::{Error, Gateway, Peer};
use http::{Request, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Receiver;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;

use super::addresses::Addresses;
use super::framing::{MAX_HEAD_BYTES, REFUSED, Refusal};
use super::guarded::{GuardedStream, HeadMemory};
use super::metrics;
use super::unread::{CLOSE, Unread};

/// The time that requests in progress may take after a stop signal, in seconds.
pub(super) const GRACE_S: u64 = 20;
/// Timeout for receiving the head of a request, and for idle connections, in seconds.
const HEADER_DEADLINE_S: u64 = 30;
/// Timeout for a client that does not read the response, in seconds.
const WRITE_DEADLINE_S: u64 = 30;
/// Size of hyper's read buffer, in bytes: enough for the longest head and part of the body.
const READ_BUFFER_BYTES: usize = 2 * MAX_HEAD_BYTES;
/// Memory for the unfinished heads of all connections, in bytes.
const MAX_UNFINISHED_HEADS_BYTES: usize = 16 * 1024 * 1024;
/// `Retry-After` of a client whose unfinished head found no memory, in seconds.
const BUSY_RETRY_S: u64 = 5;
/// Pause after a connection could not be accepted, in milliseconds.
const ACCEPT_PAUSE_MS: u64 = 50;
/// The number of open files that the process needs in addition to connections.
const RESERVED_FILES: u64 = 128;

/// Raises the limit of open files to the maximum. If that fails, fewer connections are accepted.
pub(super) fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let _ = setrlimit(Resource::Nofile, raised);
}

/// Accepts connections until the signal, then waits for the requests in progress.
pub(super) async fn accept(listener: &TcpListener, gateway: &Arc<Gateway>, mut stop: Receiver<()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .max_buf_size(READ_BUFFER_BYTES)
        .header_read_timeout(Duration::from_secs(HEADER_DEADLINE_S));
    let config = gateway.context().config();
    let addresses = Addresses::new(config.connections_per_address, config.trusted_proxies.clone());
    let heads = Arc::new(HeadMemory::new(MAX_UNFINISHED_HEADS_BYTES));
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(max_connections()));
    // Dropped when the server stops, which ends the connections that wait for their first head.
    let (serving, _) = watch::channel(());
    loop {
        let accept = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! { accepted = accept => accepted, _ = stop.recv() => break };
        let Ok((stream, peer)) = accepted else {
            // Usually the process has no free file descriptors, so a connection must close first.
            tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            continue;
        };
        let Some(admission) = addresses.admit(peer.ip()) else {
            refuse(&stream);
            continue;
        };
        let stream = GuardedStream::new(Box::pin(bounded(stream)), Arc::clone(&heads));
        let (http, watcher, serving) = (http.clone(), graceful.watcher(), serving.subscribe());
        let (gateway, peer) = (Arc::clone(gateway), Peer(peer.ip()));
        tokio::spawn(async move {
            serve(stream, gateway, peer, &http, watcher, serving).await;
            drop((permit, admission));
        });
    }
    drop(serving);
    let grace = tokio::time::sleep(Duration::from_secs(GRACE_S));
    tokio::select! {
        () = graceful.shutdown() => {}
        () = grace => eprintln!("bespoke: stopping; some requests did not end within {GRACE_S} s"),
    }
}

/// Serves a connection to its end. hyper gets the connection only after a first complete and valid head, so that a
/// connection without one uses no buffers of hyper and does not delay the shutdown of the server. A client that
/// disconnects is not logged.
async fn serve(
    mut stream: GuardedStream<Connection>,
    gateway: Arc<Gateway>,
    peer: Peer,
    http: &http1::Builder,
    watcher: Watcher,
    mut serving: watch::Receiver<()>,
) {
    let first_head = poll_fn(|context| stream.poll_first(context));
    let first_head = timeout(Duration::from_secs(HEADER_DEADLINE_S), first_head);
    let first_head = tokio::select! { first_head = first_head => first_head, _ = serving.changed() => return };
    match first_head {
        Ok(Ok(None)) => {
            let service = service_fn(move |request| respond(Arc::clone(&gateway), peer, request));
            // Boxed, because a connection that waits for its first head then needs much less memory.
            let _ = Box::pin(watcher.watch(http.serve_connection(TokioIo::new(stream), service))).await;
        }
        Ok(Ok(Some(refusal))) => {
            drop(watcher);
            let _ = refuse_first(&gateway, stream, refusal).await;
        }
        Ok(Err(_)) | Err(_) => {}
    }
}

/// Refuses the first head of a connection and closes the connection. hyper is not used, because its buffers are large
/// and many clients may send such heads at once.
async fn refuse_first(gateway: &Gateway, mut stream: impl AsyncWrite + Unpin, refusal: Refusal) -> std::io::Result<()> {
    let (head, body) = gateway.refuse(error(refusal)).into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let mut response = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
    for (name, value) in &head.headers {
        response.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    let end = format!("connection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    response.extend([end.as_bytes(), &body].concat());
    stream.write_all(&response).await?;
    stream.shutdown().await
}

/// Responds to one request of a connection.
async fn respond(gateway: Arc<Gateway>, peer: Peer, mut request: Request<Incoming>) -> Result<Response, Infallible> {
    if request.method().as_str() == REFUSED {
        let mut response = gateway.refuse(error(refusal(request.uri().path())));
        response.headers_mut().insert(header::CONNECTION, CLOSE);
        return Ok(response);
    }
    request.extensions_mut().insert(peer);
    if request.body().is_end_stream() {
        let request = request.map(Body::new);
        return Ok(match metrics::page(gateway.context(), &request) {
            Some(page) => page,
            None => gateway.handle_to_end(request).await,
        });
    }
    let unread = Unread::default();
    let (parts, body) = request.into_parts();
    let body = Body::new(unread.watch(body, &parts.headers));
    let mut response = gateway.handle_to_end(Request::from_parts(parts, body)).await;
    unread.settle(&mut response);
    Ok(response)
}

/// Returns the reason of a refusal from the path of the request that replaces the refused head.
fn refusal(path: &str) -> Refusal {
    match path {
        "/431" => Refusal::HeadTooLarge,
        "/503" => Refusal::Busy,
        _ => Refusal::Malformed,
    }
}

fn error(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Malformed => Error::bad_request("badRequest"),
        Refusal::HeadTooLarge => Error::head_too_large(),
        Refusal::Busy => Error::busy(BUSY_RETRY_S),
    }
}

/// Tells a client that its address has too many connections, if the socket accepts the response at once, and closes
/// the connection.
fn refuse(stream: &TcpStream) {
    const RESPONSE: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json; charset=utf-8\r\n\
        Content-Length: 47\r\nConnection: close\r\nRetry-After: 1\r\n\r\n\
        {\"result\":\"error\",\"error\":\"tooManyConnections\"}";
    let _ = stream.try_write(RESPONSE);
}

/// The stream of a connection, with timeouts.
type Connection = Pin<Box<TimeoutStream<TcpStream>>>;

/// Wraps a connection, so that it ends when its client does not read for too long.
fn bounded(stream: TcpStream) -> TimeoutStream<TcpStream> {
    // Small responses must not wait for more data. A socket that rejects the option still works.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(Duration::from_secs(WRITE_DEADLINE_S)));
    stream
}

/// Returns the maximum number of connections: the limit of open files, less the files that the process needs itself.
fn max_connections() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files.saturating_sub(RESERVED_FILES))
        .unwrap_or(usize::MAX)
        .clamp(1, Semaphore::MAX_PERMITS)
}
