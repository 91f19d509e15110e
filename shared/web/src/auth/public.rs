//! [`Public`]: the extractor of routes without authentication, and [`AccessGuard`], the trait that all three extractors share.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::access::Access;
use crate::response::{Error, Result};

/// The access guard of a route without authentication.
#[derive(Debug)]
pub struct Public;

/// An extractor that may be the first argument of a handler.
pub(crate) trait AccessGuard {
    /// The authentication that it requires.
    const ACCESS: Access;
}

impl AccessGuard for Public {
    const ACCESS: Access = Access::Public;
}

impl<S: Send + Sync> FromRequestParts<S> for Public {
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self> {
        Ok(Self)
    }
}
