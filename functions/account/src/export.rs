//! `GET|POST /account/export/{auth}`, and `GET /exports/{id}`, where the file is.

mod file;
mod writer;

use axum::body::Body;
use axum::response::Response;
use bespoke_database::{Db, exports};
use bespoke_web::exports::ExportName;
use bespoke_web::level::READ_ONLY;
use bespoke_web::{Caller, Error, ExportAllowance, Outcome, Params, Public, Query, Result, Session, Signature, ok};
use http::{HeaderValue, header};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use file::{Export, FORMAT, VERSION};

/// Most exports of one account that are kept; a further one takes the place of the oldest.
const KEPT: u32 = 3;
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const ATTACHMENT: HeaderValue = HeaderValue::from_static("attachment; filename=\"export.json\"");

#[derive(Serialize, ToSchema)]
struct ExportAnswer {
    result: Outcome,
    /// Where the file is, for an hour and for everybody who has this link.
    data: String,
}

/// Everything of the account of that id, as a file that an import takes back.
///
/// # Errors
/// 404 when there is no such account.
pub async fn export_file(session: &Session, user_id: i64) -> Result<Vec<u8>> {
    let (context, now) = (session.clone(), session.now());
    let write = move |db: &Db<'_>| file::write(db, user_id, &context, ExportAllowance::unlimited(now));
    session.read_blocking(write).await
}

/// Export one's account
///
/// Makes a file with everything of the account, that `POST /account/import/{auth}` takes back. Only the newest three of an
/// account are kept, and none for longer than a day.
#[utoipa::path(post, path = "/account/export/{auth}", tag = "Accounts", operation_id = "exportAccount",
    responses(
        (status = 200, description = "The link to the file.", body = ExportAnswer),
        (status = 404, description = "The account was removed while the call was under way, or three newer exports were made."),
    ))]
pub(crate) async fn export(caller: Caller<READ_ONLY>, session: Session) -> Result<Response> {
    let user_id = caller.actor.user_id;
    // Exports of an account run one after the other, so that each counts for the next one, and none evicts one that is still being made.
    let permit = session.long_read_permit().await?;
    let (name, now, limits) = (
        session.new_export_name(),
        session.now(),
        session.config().account_limits,
    );
    let context = session.clone();
    let write = move |db: &Db<'_>| {
        let allowance = limits.export_allowance(db, user_id, now)?;
        file::write(db, user_id, &context, allowance)
    };
    let file = session.read_with_permit(permit.clone(), write).await?;
    let bytes = file.len() as u64;
    let note = caller.write(&session, move |db, actor| {
        limits.count_export(db, actor.user_id, bytes, now)?;
        Ok(exports::insert(db, &name.to_string(), actor.user_id, KEPT, now)?)
    });
    note.await?;
    if let Err(error) = session.put_export(name, file.into()).await {
        let forget = session.write(move |db| {
            exports::delete(db, &name.to_string())?;
            limits.discount_export(db, user_id, bytes, now)
        });
        forget.await?;
        session.remove_leftovers().await;
        return Err(error);
    }
    drop(permit);
    session.remove_leftovers().await;
    Ok(ok(&ExportAnswer {
        result: Outcome::Success,
        data: session.export_url(name).await?,
    }))
}

/// Export one's account, by GET
///
/// As by POST; clients use this.
#[utoipa::path(get, path = "/account/export/{auth}", tag = "Accounts", operation_id = "exportAccountByGet",
    responses(
        (status = 200, description = "The link to the file.", body = ExportAnswer),
        (status = 404, description = "The account was removed while the call was under way, or three newer exports were made."),
    ))]
pub(crate) async fn export_by_get(caller: Caller<READ_ONLY>, session: Session) -> Result<Response> {
    export(caller, session).await
}

/// Fetch an export
///
/// By the signed link alone that the export was answered with.
#[utoipa::path(get, path = "/exports/{id}", tag = "Accounts", operation_id = "readExport",
    params(("id" = String, Path, description = "Name of the export."), Signature),
    responses(
        (status = 200, description = "The file.", body = Export),
        (status = 404, description = "There is no such export, or the link is not or no longer signed for it."),
    ))]
pub(crate) async fn read(
    _: Public,
    session: Session,
    params: Params,
    Query(signature): Query<Signature>,
) -> Result<Response> {
    let name = ExportName::parse(params.get("id")).ok_or_else(Error::not_found)?;
    if !signature.opens(&name.path(), &session) {
        return Err(Error::not_found());
    }
    if !session.read(|db| Ok(exports::exists(db, &name.to_string())?)).await? {
        return Err(Error::not_found());
    }
    let mut response = Response::new(Body::from_stream(session.export(name).await?));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::ETAG, name.etag());
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.insert(header::CONTENT_DISPOSITION, ATTACHMENT);
    Ok(response)
}
