//! The function `images`: images of accounts, sets, patterns and pages. [`router`] lists its routes.

mod delete;
mod read;
mod social_image;
mod upload;

use bespoke_web::{Routes, route};

/// The routes of the `images` function, one of the deployable groups of routes.
pub fn router() -> Routes {
    Routes::new("images")
        .with(route!(read::read))
        .with(route!(upload::anonymous))
        .with(route!(upload::upload_as).apart())
        .with(route!(delete::delete))
        .with(route!(social_image::create).reads().by_token())
}
