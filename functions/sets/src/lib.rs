//! Measurement sets (contract-2023 section 3.3).

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
use bespoke_database::sets::{self, StoredSet};
use bespoke_web::{
    Caller, ContentTag, Error, Id, Outcome, Result, Routes, Session, TaggedBody, UploadedImage, route, view,
};
use serde::Serialize;
use utoipa::ToSchema;

/// The routes of this function.
pub fn router() -> Routes {
    Routes::new("sets")
        .with(route!(create::create).scopes(&[SetsWrite]).repeatable())
        .with(route!(read::list).scopes(&[SetsRead]))
        .with(route!(read::read).scopes(&[SetsRead]))
        // The answer shows the set, and so does a copy.
        .with(route!(update::update).scopes(&[SetsRead, SetsWrite]).conditional())
        .with(route!(delete::delete).scopes(&[SetsWrite]))
        .with(route!(clone::clone).scopes(&[SetsRead, SetsWrite]).repeatable())
        .with(route!(import::import).scopes(&[SetsRead, SetsWrite]).repeatable())
        .with(route!(lookup::measurements).scopes(&[SetsRead]))
        .with(route!(lookup::by_name).scopes(&[SetsRead]))
        .with(route!(lookup::public))
        .with(route!(public::json))
        .with(route!(public::yaml))
}

#[derive(Serialize, ToSchema)]
struct SetAnswer {
    result: Outcome,
    set: view::Set,
    /// Names of the fields and measurements that were sent and not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ignored: Option<Vec<String>>,
}

/// The set of that id, or 404.
fn find(db: &Db<'_>, Id(id): Id) -> Result<MeasurementSet> {
    sets::by_id(db, id)?.ok_or_else(Error::not_found)
}

/// The same, only to be shown.
fn find_stored(db: &Db<'_>, Id(id): Id) -> Result<Arc<StoredSet>> {
    sets::stored_by_id(db, id)?.ok_or_else(Error::not_found)
}

/// Writes down that the caller reads a set that is private and another account's.
async fn record_read<const LEVEL: u8>(caller: &Caller<LEVEL>, session: &Session, set: &StoredSet) -> Result<()> {
    if set.content.public {
        return Ok(());
    }
    let audit_entry = session.audit_entry("sets.read").target("sets", set.id);
    caller.record_read(session, audit_entry, set.user_id).await
}

/// Keeps the image that came with a set.
async fn save_image(session: &Session, image: UploadedImage, id: i64, ignored: &mut Vec<String>) {
    let now = session.now();
    let refer = move |db: &Db<'_>, img: &str| Ok(sets::set_image(db, id, img, now)?);
    session.save_image(image, ImageId::Set(id), ignored, refer).await;
}

/// Answers with the set as it is now: 201 when it was made, 200 when it was changed.
async fn answer(session: &Session, outcome: Outcome, id: i64, ignored: Option<Vec<String>>) -> Result<Response> {
    let set = session.read(|db| find_stored(db, Id(EntityId::Integer(id)))).await?;
    Ok(under_tag(session, &set, outcome, ignored).answer(outcome))
}

/// The answer that shows a set, kept with it unless it has a link that ends.
fn show(session: &Session, set: &StoredSet) -> Response {
    let make = || under_tag(session, set, Outcome::Success, None);
    let lasts = set.content.public || session.image_url(set.content.img.as_deref(), false).is_none();
    let answer = if lasts { TaggedBody::cached(set, make) } else { make() };
    answer.answer(Outcome::Success)
}

/// The answer under a tag that `If-Match` takes.
fn under_tag(session: &Session, set: &StoredSet, result: Outcome, ignored: Option<Vec<String>>) -> TaggedBody {
    content_tag(&set.content).on(&SetAnswer {
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
