//! The smallest possible Lambda function with the same runtime. Cold starts are compared with it.

use axum::Router;
use axum::routing::get;

fn main() -> Result<(), lambda_http::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(lambda_http::run(Router::new().fallback(get(|| async { "hello" }))))
}
