//! A minimal function that misbehaves on request, for the tests of the emulator.
//!
//! The paths `/fail`, `/panic`, `/exit`, `/large` and `/binary` do what their names say. Any other path returns the event and the
//! number of earlier events. With `ECHO_STREAMING` it streams its response, and with `ECHO_NO_INIT` it exits before the first event.

#![expect(
    clippy::disallowed_methods,
    reason = "tests select the behaviour by environment variables"
)]

use std::sync::atomic::{AtomicU32, Ordering};

use lambda_http::{Body, Error, Request, Response, service_fn};
use serde_json::json;

static EVENTS: AtomicU32 = AtomicU32::new(0);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    assert!(std::env::var_os("ECHO_NO_INIT").is_none(), "no init today");
    lambda_runtime::spawn_graceful_shutdown_handler(|| async { println!("the hook ran") }).await;
    if std::env::var_os("ECHO_STREAMING").is_some() {
        return lambda_http::run_with_streaming_response(service_fn(echo)).await;
    }
    lambda_http::run(service_fn(echo)).await
}

async fn echo(request: Request) -> Result<Response<Body>, Error> {
    let (method, path) = (request.method().as_str(), request.uri().path());
    eprintln!("{method} {path}");
    let body = match path {
        "/fail" => return Err("it was asked for".into()),
        "/panic" => panic!("it was asked for"),
        "/exit" => std::process::exit(3),
        "/large" => Body::Text("a".repeat(7 * 1024 * 1024)),
        "/binary" => Body::Binary(vec![0xff, 0x00]),
        _ => {
            let variables: Vec<_> = std::env::vars_os()
                .map(|(name, _)| name.to_string_lossy().into_owned())
                .collect();
            let body = String::from_utf8_lossy(request.body().as_ref()).into_owned();
            let before = EVENTS.fetch_add(1, Ordering::Relaxed);
            Body::Text(
                json!({ "method": method, "path": path, "body": body, "before": before, "variables": variables })
                    .to_string(),
            )
        }
    };
    let response = Response::builder()
        .header("content-type", "application/json")
        .header("set-cookie", "a=b");
    Ok(response.body(body)?)
}
