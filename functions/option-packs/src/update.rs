//! `PATCH /option-packs/{id}/{auth}`: [`update`] changes an option pack.

use axum::response::Response;
use bespoke_database::option_packs;
use bespoke_web::level::CURATOR;
use bespoke_web::{Body, Caller, Id, Outcome, Result, Session};

use crate::OptionPackResponse;
use crate::content::{Changes, OptionPackRequest};

/// Change an option pack
///
/// Options are merged into the stored ones. Invalid fields do not fail the request; `ignored` lists them.
#[utoipa::path(patch, path = "/option-packs/{id}/{auth}", tag = "Option packs", operation_id = "updateOptionPack",
    request_body = OptionPackRequest,
    responses(
        (status = 200, description = "The updated option pack.", body = OptionPackResponse),
        (status = 404, description = "There is no such option pack."),
    ))]
pub(crate) async fn update(caller: Caller<CURATOR>, session: Session, id: Id, body: Body) -> Result<Response> {
    let now = session.now();
    let Body(mut body) = body;
    let image = session.take_image(&mut body).await;
    let (changes, mut ignored) = Changes::read(body);
    let change = caller.write(&session, move |db, _| {
        let mut pack = crate::find(db, id)?;
        let before = pack.content.clone();
        let fits = changes.apply(&mut pack.content);
        if pack.content != before {
            option_packs::update(db, pack.id, &pack.content, now)?;
        }
        Ok((pack.id, fits))
    });
    let (pack_id, fits) = change.await?;
    if !fits {
        ignored.push("options".to_owned());
    }
    crate::save_image(&session, image, pack_id, &mut ignored).await;
    crate::respond(&session, Outcome::Success, pack_id, Some(ignored)).await
}
