//! The function `sets`: measurement sets of the caller, and public sets. [`router`] lists its routes.

mod clone;
mod create;
mod delete;
mod import;
mod lookup;
mod public;
mod read;
mod update;

use std::sync::Arc;

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::Scope::{SetsRead, SetsWrite};
use bespoke_core::entity::image::ImageId;
use bespoke_core::entity::set::{MeasurementSet, SetContent};
use bespoke_database::Db;
use bespoke_database::sets::{self, CachedSet};
use bespoke_web::{
    Caller, ContentTag, Error, Id, Outcome, Result, Routes, Session, TaggedBody, UploadedImage, route, view,
};
use serde::Serialize;
use utoipa::ToSchema;

/// The routes of the `sets` function, one of the deployable groups of routes.
pub fn router() -> Routes {
    Routes::new("sets")
        .with(route!(create::create).writes_first().scopes(&[SetsWrite]).repeatable())
        .with(route!(read::list).scopes(&[SetsRead]))
        .with(route!(read::read).scopes(&[SetsRead]))
        // The response contains the set, so these routes need `sets:read` too.
        .with(
            route!(update::update)
                .writes_first()
                .scopes(&[SetsRead, SetsWrite])
                .conditional(),
        )
        .with(route!(delete::delete).writes_first().scopes(&[SetsWrite]))
        .with(
            route!(clone::clone)
                .writes_first()
                .scopes(&[SetsRead, SetsWrite])
                .repeatable(),
        )
        .with(route!(import::import).scopes(&[SetsRead, SetsWrite]).repeatable())
        .with(route!(lookup::measurements).scopes(&[SetsRead]))
        .with(route!(lookup::by_name).scopes(&[SetsRead]))
        .with(route!(lookup::public))
        .with(route!(public::json))
        .with(route!(public::yaml))
}

#[derive(Serialize, ToSchema)]
#[schema(as = SetAnswer)]
struct SetResponse {
    result: Outcome,
    set: view::Set,
    /// Names of the fields and measurements that the request contained and the server ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ignored: Option<Vec<String>>,
}

/// Returns the set with this id.
///
/// # Errors
/// 404 if there is no such set.
fn find(db: &Db<'_>, Id(id): Id) -> Result<MeasurementSet> {
    sets::by_id(db, id)?.ok_or_else(Error::not_found)
}

/// Returns the set with this id in its stored form, for a response.
///
/// # Errors
/// 404 if there is no such set.
fn find_stored(db: &Db<'_>, Id(id): Id) -> Result<Arc<CachedSet>> {
    sets::stored_by_id(db, id)?.ok_or_else(Error::not_found)
}

/// Writes an audit entry if the set is private and belongs to another account.
async fn record_read<const LEVEL: u8>(caller: &Caller<LEVEL>, session: &Session, set: &CachedSet) -> Result<()> {
    if set.content.public {
        return Ok(());
    }
    let audit_entry = session.audit_entry("sets.read").target("sets", set.id);
    caller.record_read(session, audit_entry, set.user_id).await
}

/// Stores the image of a set, if the request had one.
async fn save_image(session: &Session, image: UploadedImage, id: i64, ignored: &mut Vec<String>) {
    let now = session.now();
    let refer = move |db: &Db<'_>, img: &str| Ok(sets::set_image(db, id, img, now)?);
    session.save_image(image, ImageId::Set(id), ignored, refer).await;
}

/// Responds with the current set: 201 if it was created, 200 if it was changed.
async fn respond(session: &Session, outcome: Outcome, id: i64, ignored: Option<Vec<String>>) -> Result<Response> {
    let set = session.read(|db| find_stored(db, Id(EntityId::Integer(id)))).await?;
    Ok(tagged_body(session, &set, outcome, ignored).into_response(outcome))
}

/// Creates the response with a set. The response is cached together with the set, unless it contains a link that expires.
fn show(session: &Session, set: &CachedSet) -> Response {
    let make = || tagged_body(session, set, Outcome::Success, None);
    let is_lasting = set.content.public || session.image_url(set.content.img.as_deref(), false).is_none();
    let response = if is_lasting {
        TaggedBody::cached(set, make)
    } else {
        make()
    };
    response.into_response(Outcome::Success)
}

/// Creates the body of a response, with an entity tag that `If-Match` accepts.
fn tagged_body(session: &Session, set: &CachedSet, result: Outcome, ignored: Option<Vec<String>>) -> TaggedBody {
    content_tag(&set.content).on(&SetResponse {
        result,
        set: view::Set::new(set, session),
        ignored,
    })
}

fn content_tag<M: Serialize>(content: &SetContent<M>) -> ContentTag {
    let SetContent {
        name,
        notes,
        imperial,
        public,
        measies,
        img,
    } = content;
    ContentTag::of(&(name, notes, imperial, public, measies, img))
}
