//! `POST /patterns/{id}/clone/{auth}`: [`clone`] copies a pattern into the caller's account.

use axum::response::Response;
use bespoke_core::validate::{MAX_NAME_BYTES, MAX_NOTES_BYTES, append};
use bespoke_database::patterns;
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Caller, Id, Outcome, Result, Session};

use crate::PatternResponse;

/// Copy a pattern into the caller's account
///
/// The source must belong to the caller or be public. Level 8 can copy all patterns. The copy is private. The status is 200 instead of
/// the 201 for a copied set, because clients depend on both.
#[utoipa::path(post, path = "/patterns/{id}/clone/{auth}", tag = "Patterns", operation_id = "clonePattern",
    responses(
        (status = 200, description = "The copy.", body = PatternResponse),
        (status = 404, description = "There is no such pattern."),
    ))]
pub(crate) async fn clone(caller: Caller<WRITE_SOME>, session: Session, id: Id) -> Result<Response> {
    let (uuid, now) = (session.random().uuid(), session.now());
    let image = session.config().default_pattern_image.clone();
    let audit_entry = session.audit_entry("patterns.clone");
    let copy = caller.create(&session, move |db, actor| {
        let source = crate::find(db, id)?;
        actor.may_clone(source.user_id, source.content.public)?;
        if !source.content.public {
            let audit_entry = audit_entry.clone().target("patterns", source.id);
            audit_entry.record_unless_own(db, actor, source.user_id)?;
        }
        let mut content = source.content;
        let (name, notes) = (
            format!(" (cloned from #{})", source.id),
            format!(" (Note: this is a copy of pattern #{})", source.id),
        );
        append(&mut content.name, &name, MAX_NAME_BYTES);
        append(&mut content.notes, &notes, MAX_NOTES_BYTES);
        content.public = false;
        content.img = Some(image.clone());
        Ok(patterns::insert(db, uuid, actor.user_id, &content, now)?)
    });
    let clone_id = copy.await?.value;
    crate::respond(&session, Outcome::Success, clone_id, None).await
}
