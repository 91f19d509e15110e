//! The pages: the landing page, the console, the interactive reference, and the description of the API.
//!
//! Everything that a page loads comes from here: nothing from elsewhere, no inline script, and a Content-Security-Policy
//! that says so.

mod console;
mod description;
mod page;
mod reference;

use bespoke_web::{Routes, route};

/// The routes of this function.
pub fn router() -> Routes {
    Routes::new("docs")
        .with(route!(page::landing))
        .with(route!(page::style))
        .with(route!(page::avatar))
        .with(route!(console::index))
        .with(route!(console::file))
        .with(route!(console::file_in_folder))
        .with(route!(console::callback))
        .with(route!(reference::index))
        .with(route!(reference::asset))
        .with(route!(description::json))
        .with(route!(description::yaml))
}
