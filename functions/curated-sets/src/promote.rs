//! `POST /curated-sets/from/{id}/{auth}`: [`promote`] creates a curated set from a suggestion.

use axum::response::Response;
use bespoke_core::EntityId;
use bespoke_core::entity::curated_set::{CuratedSetContent, leading_height};
use bespoke_core::entity::image::ImageId;
use bespoke_core::entity::set::NO_NOTES;
use bespoke_core::entity::suggestion::SuggestionKind;
use bespoke_core::entity::texts::{Texts, Translated};
use bespoke_database::{curated_sets, sets};
use bespoke_web::content::suggestions;
use bespoke_web::level::CURATOR;
use bespoke_web::{Caller, Error, Id, Outcome, Result, Session};
use serde_json::Value;

use crate::CuratedSetResponse;

/// Create a curated set from a suggestion
///
/// The set has the suggested name in all languages, the current measurements of the suggested set, and the suggested image. It is
/// not published. The suggestion stays until it is removed.
#[utoipa::path(post, path = "/curated-sets/from/{id}/{auth}", tag = "Curated sets", operation_id = "promoteSuggestedSet",
    params(("id" = Uuid, Path, description = "UUID of the suggestion.")),
    responses(
        (status = 200, description = "The curated set.", body = CuratedSetResponse),
        (status = 404, description = "There is no such suggestion, or its set was removed."),
    ))]
pub(crate) async fn promote(caller: Caller<CURATOR>, session: Session, id: Id) -> Result<Response> {
    let (uuid, now) = (session.random().uuid(), session.now());
    let promote = caller.create(&session, move |db, _| {
        let suggestion = suggestions::find(db, id)?.filter(|found| found.kind == SuggestionKind::Set);
        let suggestion = suggestion.ok_or_else(Error::not_found)?;
        let field = |name: &str| suggestion.data.get(name).cloned().unwrap_or_default();
        let set = field("set")
            .as_i64()
            .map(EntityId::Integer)
            .ok_or_else(Error::not_found)?;
        let set = sets::by_id(db, set)?;
        // After a restore of the database, the set with this integer id may belong to another account.
        let set = set
            .filter(|set| set.user_id == suggestion.user_id)
            .ok_or_else(Error::not_found)?;
        let text = |name: &str, default: &str| match field(name) {
            Value::String(text) if !text.is_empty() => Translated::same(&text),
            _ => Translated::same(default),
        };
        let height = match field("height") {
            Value::String(text) => leading_height(&text),
            other => leading_height(&other.to_string()),
        };
        let content = CuratedSetContent {
            height,
            texts: Texts {
                names: text("name", ""),
                notes: text("notes", NO_NOTES),
                ..Texts::default()
            },
            measies: set.content.measies,
            published: false,
        };
        Ok((suggestion.uuid, curated_sets::insert(db, uuid, &content, now)?))
    });
    let promotion = promote.await?;
    let (suggestion, set_id) = promotion.value;
    // A repeated request must not replace a newer image.
    if !promotion.is_repeat || !session.may_have_image(&ImageId::CuratedSet(set_id)).await {
        let image = session.images().get(&ImageId::Suggestion(suggestion)).await;
        // If there is no image, the set is created without one.
        let image = image.ok().flatten().map(Ok);
        crate::save_image(&session, image, set_id, &mut Vec::new()).await;
    }
    crate::respond(&session, Outcome::Success, set_id, None).await
}
