//! The function `patterns`: patterns of the caller, and public patterns. [`router`] lists its routes.

mod clone;
mod create;
mod delete;
mod public;
mod read;
mod update;

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::Scope::{PatternsRead, PatternsWrite};
use bespoke_core::entity::image::ImageId;
use bespoke_core::entity::pattern::{Pattern, PatternContent};
use bespoke_database::{Db, patterns};
use bespoke_web::{ContentTag, Error, Id, Outcome, Result, Routes, Session, UploadedImage, route, view};
use serde::Serialize;
use utoipa::ToSchema;

/// The routes of the `patterns` function, one of the deployable groups of routes.
pub fn router() -> Routes {
    Routes::new("patterns")
        .with(
            route!(create::create)
                .writes_first()
                .scopes(&[PatternsRead, PatternsWrite])
                .repeatable(),
        )
        .with(route!(read::list).scopes(&[PatternsRead]))
        .with(route!(read::read).scopes(&[PatternsRead]))
        .with(
            route!(update::update)
                .writes_first()
                .scopes(&[PatternsRead, PatternsWrite])
                .conditional(),
        )
        .with(route!(delete::delete).writes_first().scopes(&[PatternsWrite]))
        .with(
            route!(clone::clone)
                .writes_first()
                .scopes(&[PatternsRead, PatternsWrite])
                .repeatable(),
        )
        .with(route!(public::json))
        .with(route!(public::yaml))
}

#[derive(Serialize, ToSchema)]
#[schema(as = PatternAnswer)]
struct PatternResponse {
    result: Outcome,
    pattern: view::Pattern,
    /// Names of the fields and measurements that the request contained and the server ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ignored: Option<Vec<String>>,
}

/// Returns the pattern with this id.
///
/// # Errors
/// 404 if there is no such pattern.
fn find(db: &Db<'_>, Id(id): Id) -> Result<Pattern> {
    patterns::by_id(db, id)?.ok_or_else(Error::not_found)
}

/// Stores the image of a pattern, if the request had one.
async fn save_image(session: &Session, image: UploadedImage, id: i64, ignored: &mut Vec<String>) {
    let now = session.now();
    let refer = move |db: &Db<'_>, img: &str| Ok(patterns::set_image(db, id, img, now)?);
    session.save_image(image, ImageId::Pattern(id), ignored, refer).await;
}

/// Responds with the current pattern: 201 if it was created, 200 if it was changed or copied.
async fn respond(session: &Session, outcome: Outcome, id: i64, ignored: Option<Vec<String>>) -> Result<Response> {
    let pattern = session.read(|db| find(db, Id(EntityId::Integer(id)))).await?;
    Ok(show(session, outcome, pattern, ignored))
}

/// Creates the response with a pattern, and with an entity tag that `If-Match` accepts.
fn show(session: &Session, outcome: Outcome, pattern: Pattern, ignored: Option<Vec<String>>) -> Response {
    let content = content_tag(&pattern.content);
    let response = PatternResponse {
        result: outcome,
        pattern: view::Pattern::new(pattern, session),
        ignored,
    };
    content.on(&response).into_response(outcome)
}

fn content_tag(content: &PatternContent) -> ContentTag {
    let PatternContent {
        design,
        name,
        notes,
        data,
        settings,
        public,
        img,
    } = content;
    ContentTag::of(&(design, name, notes, data, settings, public, img))
}
