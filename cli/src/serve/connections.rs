//! The connections of `bespoke serve`: how many, and how long somebody may hold one.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bespoke_web::{Gateway, Peer};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Receiver;
use tokio_io_timeout::TimeoutStream;

use super::{GRACE_S, metrics};

/// How long a client may take to send the head of a request, in seconds; also how long a connection may be idle.
const HEADER_DEADLINE_S: u64 = 30;
/// How long a client may take none of an answer, in seconds.
const WRITE_DEADLINE_S: u64 = 30;
/// The longest head of a request that is read, in bytes; hyper answers 431 to what is longer.
const MAX_HEAD_BYTES: usize = 64 * 1024;
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
        .max_buf_size(MAX_HEAD_BYTES)
        .header_read_timeout(Duration::from_secs(HEADER_DEADLINE_S));
    let (graceful, places) = (GracefulShutdown::new(), Arc::new(Semaphore::new(max_connections())));
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
        let gateway = Arc::clone(gateway);
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            let gateway = Arc::clone(&gateway);
            request.extensions_mut().insert(Peer(peer.ip()));
            async move {
                let request = request.map(Body::new);
                if let Some(page) = metrics::page(gateway.context(), &request) {
                    return Ok::<_, Infallible>(page);
                }
                Ok(gateway.handle(request).await)
            }
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(Box::pin(bounded(stream))), service));
        tokio::spawn(async move {
            // A client that goes away is no event.
            let _ = connection.await;
            drop(place);
        });
    }
    let grace = tokio::time::sleep(Duration::from_secs(GRACE_S));
    tokio::select! {
        () = graceful.shutdown() => {}
        () = grace => eprintln!("bespoke: stopping; some requests did not end within {GRACE_S} s"),
    }
}

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
