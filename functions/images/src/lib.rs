//! Images (contract-2023 section 6).

mod delete;
mod read;
mod upload;

use bespoke_web::{Routes, route};

/// The routes of this function.
pub fn router() -> Routes {
    Routes::new("images")
        .with(route!(read::read))
        .with(route!(upload::anonymous))
        .with(route!(upload::upload_as).apart())
        .with(route!(delete::delete))
}
