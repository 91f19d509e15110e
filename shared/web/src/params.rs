//! The named parts of a path.

use axum::extract::FromRequestParts;
use bespoke_core::EntityId;
use http::request::Parts;

use crate::Error;

/// The named parts of the path that led to a handler, decoded.
#[derive(Debug, Clone, Default)]
pub struct Params(pub(crate) Vec<(String, String)>);

impl Params {
    /// The part of that name; empty when the route has none of that name.
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
            .ok_or_else(|| Error::internal("a route without path"))
    }
}

/// The `{id}` of a path: an integer or a UUID. Anything else is no record: 404.
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
