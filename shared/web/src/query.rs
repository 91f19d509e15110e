//! The query of a URL.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::{Context, Error};

/// The query, as the fields of `T`; what it does not know is ignored, as the original ignores every query.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(_) => Err(Error::bad_request("badRequest")),
        }
    }
}

/// The query of a signed link.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Signature {
    /// When the link ends, in seconds since the Unix epoch.
    expires: Option<i64>,
    /// Signature of path and end.
    signature: Option<String>,
}

impl Signature {
    /// Whether the link opens `path` now.
    pub fn opens(&self, path: &str, context: &Context) -> bool {
        match (self.expires, &self.signature) {
            (Some(expires), Some(signature)) => context.links().verify(path, expires, signature, context.now()),
            _ => false,
        }
    }
}
