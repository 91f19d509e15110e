//! The entry of a Lambda function.

use std::convert::Infallible;
use std::sync::Arc;

use lambda_http::{Error, Request, service_fn};

use crate::config::Environment;
use crate::{Config, Context, Gateway, Overrides, Routes, Surroundings, logging};

/// Runs one function: reads the configuration, syncs the database, then answers events until Lambda ends the process.
///
/// # Errors
/// When the configuration or the bucket cannot be used; Lambda reports it as a failed start.
pub fn run(routes: Routes) -> Result<(), Error> {
    let environment = Environment::read(Overrides::default());
    logging::start(environment.log_filter());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let surroundings = Surroundings::system();
        let config = Config::load(environment, &*surroundings.random)?;
        let context = Context::open(config, surroundings).await?;
        let gateway = Arc::new(Gateway::new(context, [routes]));
        lambda_http::run(service_fn(move |event| {
            let gateway = Arc::clone(&gateway);
            async move { answer(&gateway, event).await }
        }))
        .await
    })
}

/// Answers one event, as [`run`] does.
///
/// # Errors
/// None: every failure is an answer.
pub async fn answer(gateway: &Gateway, event: Request) -> Result<axum::response::Response, Infallible> {
    Ok(gateway.handle(event.map(into_body)).await)
}

fn into_body(body: lambda_http::Body) -> axum::body::Body {
    match body {
        lambda_http::Body::Empty => axum::body::Body::empty(),
        lambda_http::Body::Text(text) => text.into(),
        lambda_http::Body::Binary(bytes) => bytes.into(),
        // The enum may grow; a kind that we do not know has no fields that we could read.
        _ => axum::body::Body::empty(),
    }
}
