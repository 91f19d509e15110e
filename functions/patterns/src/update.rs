//! `PATCH /patterns/{id}/{auth}`: [`update`] changes a pattern.

use axum::response::Response;
use bespoke_core::entity::pattern::PatternContent;
use bespoke_database::patterns;
use bespoke_web::content::pattern::{Changes, PatternChanges};
use bespoke_web::level::WRITE_SOME;
use bespoke_web::{Body, Caller, Id, IfMatch, Outcome, Result, Session};
use serde_json::{Value, json};

use crate::PatternResponse;

/// Change a pattern
///
/// Level 9 can change the patterns of all accounts. `data` and `settings` are replaced completely. Invalid fields do not fail the
/// request; `ignored` lists them.
#[utoipa::path(patch, path = "/patterns/{id}/{auth}", tag = "Patterns", operation_id = "updatePattern",
    request_body = PatternChanges,
    responses(
        (status = 200, description = "The updated pattern.", body = PatternResponse),
        (status = 404, description = "There is no such pattern."),
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
    let image = session.take_image(&mut body).await;
    let audit_entry = session.audit_entry("patterns.update");
    let (changes, mut ignored) = Changes::read(body);
    let change = caller.write(&session, move |db, actor| {
        let mut pattern = crate::find(db, id)?;
        actor.may_write(pattern.user_id)?;
        if_match.check(|| crate::content_tag(&pattern.content))?;
        let before = pattern.content.clone();
        changes.apply(&mut pattern.content);
        if pattern.content != before {
            patterns::update(db, pattern.id, pattern.uuid, &pattern.content, now)?;
        }
        let audit_entry = audit_entry.clone().target("patterns", pattern.id);
        audit_entry
            .change(audited(&before), audited(&pattern.content))
            .record_unless_own(db, actor, pattern.user_id)?;
        Ok(pattern.id)
    });
    let pattern_id = change.await?;
    crate::save_image(&session, image, pattern_id, &mut ignored).await;
    crate::respond(&session, Outcome::Success, pattern_id, Some(ignored)).await
}

/// The fields that the audit records when the pattern of another account is changed.
pub(crate) fn audited(content: &PatternContent) -> Value {
    json!({ "name": content.name, "notes": content.notes, "public": content.public, "data": content.data,
        "settings": content.settings })
}
