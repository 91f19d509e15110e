//! `PATCH /sets/{id}/{auth}`: [`update`] changes a measurement set.

use axum::response::Response;
use bespoke_core::entity::set::SetContent;
use bespoke_database::sets;
use bespoke_web::content::set::{Changes, SetChanges, check_units};
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Body, Caller, Id, IfMatch, Outcome, Result, Session};
use serde_json::{Value, json};

use crate::SetResponse;

/// Change a measurements set
///
/// Level 9 can change the sets of all accounts. Measurements are merged into the stored ones. Invalid fields do not fail the request;
/// `ignored` lists them.
#[utoipa::path(patch, path = "/sets/{id}/{auth}", tag = "Sets", operation_id = "updateSet", request_body = SetChanges,
    responses(
        (status = 200, description = "The updated set.", body = SetResponse),
        (status = 400, description = "`unitsInvalid`: unknown unit."),
        (status = 404, description = "There is no such set."),
    ))]
pub(crate) async fn update(
    caller: Caller<WRITE_SOME>,
    session: Session,
    id: Id,
    if_match: IfMatch,
    body: Body,
) -> Result<Response> {
    let now = session.now();
    let Body(mut body) = body;
    check_units(&body)?;
    let image = session.take_image(&mut body).await;
    let audit_entry = session.audit_entry("sets.update");
    let (changes, mut ignored) = Changes::read(body)?;
    let change = caller.write(&session, move |db, actor| {
        let mut set = crate::find(db, id)?;
        actor.may_write(set.user_id)?;
        if_match.check(|| crate::content_tag(&set.content))?;
        let before = set.content.clone();
        changes.apply(&mut set.content);
        if set.content != before {
            sets::update(db, &set, now)?;
        }
        let audit_entry = audit_entry.clone().target("sets", set.id);
        audit_entry
            .change(audited(&before), audited(&set.content))
            .record_unless_own(db, actor, set.user_id)?;
        Ok(set.id)
    });
    let set_id = change.await?;
    crate::save_image(&session, image, set_id, &mut ignored).await;
    crate::respond(&session, Outcome::Success, set_id, Some(ignored)).await
}

/// The fields that the audit records when the set of another account is changed.
pub(crate) fn audited(content: &SetContent) -> Value {
    json!({ "name": content.name, "notes": content.notes, "public": content.public, "imperial": content.imperial,
        "measies": content.measies })
}
