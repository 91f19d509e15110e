//! The pages: the landing page, the console, the interactive reference, and the description of the API.
//!
//! Everything that a page loads comes from here: nothing from elsewhere, no inline script, and a Content-Security-Policy
//! that says so.

mod console;
mod description;
mod page;
mod reference;

use bespoke_web::{KeptBy, Routes, route};

/// The routes of this function.
pub fn router() -> Routes {
    Routes::new("docs")
        .with(route!(page::landing).kept(KeptBy::Path))
        .with(route!(page::style).kept(KeptBy::Path))
        .with(route!(page::avatar).kept(KeptBy::Path))
        .with(route!(console::index).kept(KeptBy::Path))
        .with(route!(console::file).kept(KeptBy::Path))
        .with(route!(console::file_in_folder).kept(KeptBy::Path))
        .with(route!(console::callback).kept(KeptBy::Path))
        .with(route!(reference::index).kept(KeptBy::Path))
        .with(route!(reference::asset).kept(KeptBy::Path))
        .with(route!(description::json).kept(KeptBy::Path))
        .with(route!(description::yaml).kept(KeptBy::Path))
}
