//! The connections of `bespoke serve`: how many, and how long somebody may hold one.

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
use super::unread::{CLOSE, Unread};
use super::{GRACE_S, metrics};

/// How long a client may take to send the head of a request, in seconds; also how long a connection may be idle.
const HEADER_DEADLINE_S: u64 = 30;
/// How long a client may take none of an answer, in seconds.
const WRITE_DEADLINE_S: u64 = 30;
/// The buffer in which hyper reads, in bytes: it holds the longest head and some of the body.
const READ_BUFFER_BYTES: usize = 2 * MAX_HEAD_BYTES;
/// Memory for the unfinished heads of all connections, in bytes.
const MAX_UNFINISHED_HEADS_BYTES: usize = 16 * 1024 * 1024;
/// When a client may try again whose unfinished head found no memory, in seconds.
const BUSY_RETRY_S: u64 = 5;
/// How long to wait when no connection can be accepted, in milliseconds.
const ACCEPT_PAUSE_MS: u64 = 50;
/// Files that the process needs for other things than connections.
const RESERVED_FILES: u64 = 128;

/// Lets the process have as many files open as it may give itself. Where that is refused, there are fewer connections.
pub(super) fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let _ = setrlimit(Resource::Nofile, most);
}

/// Accepts connections until the signal, then lets the requests under way end.
pub(super) async fn accept(listener: &TcpListener, gateway: &Arc<Gateway>, mut stop: Receiver<()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .max_buf_size(READ_BUFFER_BYTES)
        .header_read_timeout(Duration::from_secs(HEADER_DEADLINE_S));
    let config = gateway.context().config();
    let addresses = Addresses::new(config.connections_per_address, config.trusted_proxies.clone());
    let heads = Arc::new(HeadMemory::new(MAX_UNFINISHED_HEADS_BYTES));
    let (graceful, places) = (GracefulShutdown::new(), Arc::new(Semaphore::new(max_connections())));
    // Dropped when the server stops.
    let (serving, _) = watch::channel(());
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! { accepted = accepted => accepted, _ = stop.recv() => break };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors, as a rule: one of those in use has to go first.
            tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            continue;
        };
        let Some(admitted) = addresses.admit(peer.ip()) else {
            refuse(&stream);
            continue;
        };
        let stream = GuardedStream::new(Box::pin(bounded(stream)), Arc::clone(&heads));
        let (http, watcher, serving) = (http.clone(), graceful.watcher(), serving.subscribe());
        let (gateway, peer) = (Arc::clone(gateway), Peer(peer.ip()));
        tokio::spawn(async move {
            serve(stream, gateway, peer, &http, watcher, serving).await;
            drop((place, admitted));
        });
    }
    drop(serving);
    let grace = tokio::time::sleep(Duration::from_secs(GRACE_S));
    tokio::select! {
        () = graceful.shutdown() => {}
        () = grace => eprintln!("bespoke: stopping; some requests did not end within {GRACE_S} s"),
    }
}

/// Serves a connection to its end. Before its first complete head, and if that is refused, it takes no buffers of hyper and does not hold
/// up the end of the server. A client that goes away is no event.
async fn serve(
    mut stream: GuardedStream<Connection>,
    gateway: Arc<Gateway>,
    peer: Peer,
    http: &http1::Builder,
    watcher: Watcher,
    mut serving: watch::Receiver<()>,
) {
    let first = poll_fn(|context| stream.poll_first(context));
    let first = timeout(Duration::from_secs(HEADER_DEADLINE_S), first);
    let first = tokio::select! { first = first => first, _ = serving.changed() => return };
    match first {
        Ok(Ok(None)) => {
            let service = service_fn(move |request| respond(Arc::clone(&gateway), peer, request));
            // In a box, because a connection that waits for its first head needs much less memory.
            let _ = Box::pin(watcher.watch(http.serve_connection(TokioIo::new(stream), service))).await;
        }
        Ok(Ok(Some(refusal))) => {
            drop(watcher);
            let _ = refuse_first(&gateway, stream, refusal).await;
        }
        Ok(Err(_)) | Err(_) => {}
    }
}

/// Refuses the first head of a connection and closes the connection. Without hyper, because crowds send such heads, and its buffers are
/// large.
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
    let body = Body::new(unread.follow(body, &parts.headers));
    let mut response = gateway.handle_to_end(Request::from_parts(parts, body)).await;
    unread.settle(&mut response);
    Ok(response)
}

/// Returns the reason of a refusal, from the path of the request that stands for the refused head.
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

/// Tells a client that its address has too many connections, as far as the socket takes it at once, and closes the connection.
fn refuse(stream: &TcpStream) {
    const RESPONSE: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json; charset=utf-8\r\n\
        Content-Length: 47\r\nConnection: close\r\nRetry-After: 1\r\n\r\n\
        {\"result\":\"error\",\"error\":\"tooManyConnections\"}";
    let _ = stream.try_write(RESPONSE);
}

/// The stream of a connection, with limits of time.
type Connection = Pin<Box<TimeoutStream<TcpStream>>>;

/// A connection that ends when its client takes nothing for too long.
fn bounded(stream: TcpStream) -> TimeoutStream<TcpStream> {
    // Small answers must not wait for more to send; a socket that cannot be told so still works.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(Duration::from_secs(WRITE_DEADLINE_S)));
    stream
}

/// As many connections as the process may have files open, less those that it needs itself.
fn max_connections() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files.saturating_sub(RESERVED_FILES))
        .unwrap_or(usize::MAX)
        .clamp(1, Semaphore::MAX_PERMITS)
}
