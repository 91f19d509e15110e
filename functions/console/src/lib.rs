//! The function `console`: a page for signing up, creating API keys and entering measurements, with its scripts, style sheets and texts.
//! [`router`] lists its routes.
//!
//! The page loads files only from this instance and contains no inline scripts. Its Content-Security-Policy enforces
//! both.

mod files;
mod pages;

use bespoke_web::{CacheKey, Routes, route};

/// The routes of the `console` function, one of the deployable groups of routes.
pub fn router() -> Routes {
    Routes::new("console")
        .with(route!(pages::index).cached(CacheKey::Path))
        .with(route!(pages::file).cached(CacheKey::Path))
        .with(route!(pages::file_in_folder).cached(CacheKey::Path))
        .with(route!(pages::callback).cached(CacheKey::Path))
}
