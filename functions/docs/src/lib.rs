//! The function `docs`: the landing page with its style sheet, the default avatar, the interactive reference, and the OpenAPI
//! description. [`router`] lists its routes.
//!
//! The pages load files only from this instance and contain no inline scripts. Their Content-Security-Policy enforces both.

mod description;
mod page;
mod reference;

use bespoke_web::{CacheKey, Routes, route};

/// The routes of the `docs` function, one of the deployable groups of routes.
pub fn router() -> Routes {
    Routes::new("docs")
        .with(route!(page::landing).cached(CacheKey::Path))
        .with(route!(page::style).cached(CacheKey::Path))
        .with(route!(page::avatar).cached(CacheKey::Path))
        .with(route!(reference::index).cached(CacheKey::Path))
        .with(route!(reference::asset).cached(CacheKey::Path))
        .with(route!(description::json).cached(CacheKey::Path))
        .with(route!(description::yaml).cached(CacheKey::Path))
}
