//! `POST /sets/{id}/clone/{auth}`: [`clone`] copies a measurement set into the caller's account.

use axum::response::Response;
use bespoke_core::validate::{MAX_NAME_BYTES, MAX_NOTES_BYTES, append};
use bespoke_database::sets;
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Caller, Id, Outcome, Result, Session};

use crate::SetResponse;

/// Copy a measurements set into the caller's account
///
/// The source must belong to the caller or be public. Level 8 can copy all sets. The copy is private.
#[utoipa::path(post, path = "/sets/{id}/clone/{auth}", tag = "Sets", operation_id = "cloneSet",
    responses(
        (status = 201, description = "The copy.", body = SetResponse),
        (status = 404, description = "There is no such set."),
    ))]
pub(crate) async fn clone(caller: Caller<WRITE_SOME>, session: Session, id: Id) -> Result<Response> {
    let (uuid, now) = (session.random().uuid(), session.now());
    let image = session.config().default_set_image.clone();
    let audit_entry = session.audit_entry("sets.clone");
    let copy = caller.create(&session, move |db, actor| {
        let source = crate::find(db, id)?;
        actor.may_clone(source.user_id, source.content.public)?;
        if !source.content.public {
            let audit_entry = audit_entry.clone().target("sets", source.id);
            audit_entry.record_unless_own(db, actor, source.user_id)?;
        }
        let mut content = source.content;
        append(
            &mut content.name,
            &format!(" (cloned from #{})", source.id),
            MAX_NAME_BYTES,
        );
        append(
            &mut content.notes,
            &format!(" (Note: this is a copy of set #{})", source.id),
            MAX_NOTES_BYTES,
        );
        content.public = false;
        content.img = Some(image.clone());
        Ok(sets::insert(db, uuid, actor.user_id, &content, now)?)
    });
    let clone_id = copy.await?.value;
    crate::respond(&session, Outcome::Created, clone_id, None).await
}
