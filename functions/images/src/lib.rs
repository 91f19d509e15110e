//! Images (contract-2023 section 6).

mod read;

use bespoke_web::{Routes, route};

/// The routes of this function.
pub fn router() -> Routes {
    Routes::new("images").with(route!(read::read))
}
