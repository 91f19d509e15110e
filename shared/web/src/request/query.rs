//! [`Query`] and [`Signature`]: the extractors of the query of a URL.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::response::Error;
use crate::state::Context;

/// The query, deserialized into `T`. Unknown parameters are ignored, because old clients send some.
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
    /// When the link expires, in seconds since the Unix epoch.
    expires: Option<i64>,
    /// Signature of the path and the expiry.
    signature: Option<String>,
}

impl Signature {
    /// Whether the signature is valid for `path` and has not expired.
    pub fn opens(&self, path: &str, context: &Context) -> bool {
        match (self.expires, &self.signature) {
            (Some(expires), Some(signature)) => context.links().verify(path, expires, signature, context.now()),
            _ => false,
        }
    }
}
