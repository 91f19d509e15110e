//! [`collect`]: collects the body of a response in one piece.

use axum::body::{Body, Bytes};
use http_body_util::{BodyExt, Collected};

use crate::response::Error;

/// Collects the complete body of a response of a handler.
pub(super) async fn collect(body: Body) -> Result<Bytes, Error> {
    body.collect().await.map(Collected::to_bytes).map_err(Error::internal)
}
