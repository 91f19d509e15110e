//! The smallest function there is, wired like ours: what cold starts are measured against.

use axum::Router;
use axum::routing::get;

fn main() -> Result<(), lambda_http::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(lambda_http::run(Router::new().fallback(get(|| async { "hello" }))))
}
