//! `GET|POST /account/export/{auth}`: [`export`] creates an export of the caller's account. `GET /exports/{id}`: [`read`] returns its
//! file.

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

/// Maximum number of exports that are stored for one account. A new export replaces the oldest one.
const KEPT: u32 = 3;
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const ATTACHMENT: HeaderValue = HeaderValue::from_static("attachment; filename=\"export.json\"");

#[derive(Serialize, ToSchema)]
#[schema(as = ExportAnswer)]
struct ExportResponse {
    result: Outcome,
    /// Link to the file. It works for an hour, without further credentials.
    data: String,
}

/// Returns everything of the account as a file that an import accepts.
///
/// # Errors
/// 404 if there is no such account.
pub async fn export_file(session: &Session, user_id: i64) -> Result<Vec<u8>> {
    let (context, now) = (session.clone(), session.now());
    let write = move |db: &Db<'_>| file::write(db, user_id, &context, ExportAllowance::unlimited(now));
    session.read_blocking(write).await
}

/// Export the caller's account
///
/// Creates a file with all data of the account, which `POST /account/import/{auth}` accepts. Only the three newest exports of an
/// account are stored, each for at most a day.
#[utoipa::path(post, path = "/account/export/{auth}", tag = "Accounts", operation_id = "exportAccount",
    responses(
        (status = 200, description = "The link to the file.", body = ExportResponse),
        (status = 404, description = "The account was removed during the call, or three newer exports were created."),
    ))]
pub(crate) async fn export(caller: Caller<READ_ONLY>, session: Session) -> Result<Response> {
    let user_id = caller.actor.user_id;
    // Exports of an account run one after the other, so that each counts for the next one, and none evicts an unfinished one.
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
        let refund = session.write(move |db| {
            exports::delete(db, &name.to_string())?;
            limits.refund_export(db, user_id, bytes, now)
        });
        refund.await?;
        session.remove_leftovers().await;
        return Err(error);
    }
    drop(permit);
    session.remove_leftovers().await;
    Ok(ok(&ExportResponse {
        result: Outcome::Success,
        data: session.export_url(name).await?,
    }))
}

/// Export the caller's account, by GET
///
/// Does the same as POST, for existing clients.
#[utoipa::path(get, path = "/account/export/{auth}", tag = "Accounts", operation_id = "exportAccountByGet",
    responses(
        (status = 200, description = "The link to the file.", body = ExportResponse),
        (status = 404, description = "The account was removed during the call, or three newer exports were created."),
    ))]
pub(crate) async fn export_by_get(caller: Caller<READ_ONLY>, session: Session) -> Result<Response> {
    export(caller, session).await
}

/// Fetch an export
///
/// Needs the signed link from the response to the export, and no other credentials.
#[utoipa::path(get, path = "/exports/{id}", tag = "Accounts", operation_id = "readExport",
    params(("id" = String, Path, description = "Name of the export."), Signature),
    responses(
        (status = 200, description = "The file.", body = Export),
        (status = 404, description = "There is no such export, or the signature of the link is wrong or has expired."),
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
