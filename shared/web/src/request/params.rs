//! [`Params`] and [`Id`]: the extractors of the named parts of a path.

use axum::extract::FromRequestParts;
use bespoke_core::EntityId;
use http::request::Parts;

use crate::response::Error;

/// The parameters of the path, percent-decoded.
#[derive(Debug, Clone, Default)]
pub struct Params(pub(crate) Vec<(String, String)>);

impl Params {
    /// Returns the parameter of that name; an empty text if the route has no such parameter.
    pub fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Error::internal("the request has no path parameters"))
    }
}

/// The `{id}` of a path: an integer or a UUID. For any other text the response is 404.
#[derive(Debug, Clone, Copy)]
pub struct Id(pub EntityId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let id = parts
            .extensions
            .get::<Params>()
            .and_then(|params| EntityId::parse(params.get("id")));
        id.map(Self).ok_or_else(Error::not_found)
    }
}
