//! `GET /admin/audit/{auth}`

use axum::response::Response;
use bespoke_core::Timestamp;
use bespoke_core::entity::audit::AuditRow;
use bespoke_database::audit;
use bespoke_web::level::ADMIN;
use bespoke_web::{Caller, Outcome, Paging, Query, Result, Session};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditRow)]
struct RowView {
    id: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Integer id of the account that acted.
    actor: i64,
    /// What was done.
    #[schema(example = "users.update")]
    action: String,
    /// What it was done to.
    #[schema(required, example = "users/7")]
    target: Option<String>,
    /// What was changed, as it was before.
    before: Value,
    /// What was changed, as it is now; of an act that changes nothing, what was asked for.
    after: Value,
    uuid: Uuid,
}

impl From<AuditRow> for RowView {
    fn from(row: AuditRow) -> Self {
        Self {
            id: row.id,
            created_at: row.created_at,
            actor: row.actor,
            action: row.action,
            target: row.target,
            before: row.before,
            after: row.after,
            uuid: row.uuid,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AuditList {
    result: Outcome,
    audit: Vec<RowView>,
}

/// List what administrators did
///
/// Reading this list is not an act that it lists.
#[utoipa::path(get, path = "/admin/audit/{auth}", tag = "Administration", operation_id = "listAudit", params(Paging),
    responses(
        (status = 200, description = "The acts, newest first.", body = AuditList),
        (status = 400, description = "`afterUnknown`: there is no such act to go on behind."),
        (status = 413, description = "`listTooLarge`: ask for parts, with `limit` and `after`."),
    ))]
pub(crate) async fn list(_: Caller<ADMIN>, session: Session, paging: Query<Paging>) -> Result<Response> {
    let page = paging.0.page()?;
    let rows = session.read_blocking(move |db| Ok(audit::newest(db, page)?)).await?;
    bespoke_web::list(&AuditList {
        result: Outcome::Success,
        audit: rows.into_iter().map(Into::into).collect(),
    })
}
