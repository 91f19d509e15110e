//! `GET /admin/audit/{auth}`: [`list`] returns the audit log of the actions of administrators.

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
    /// The action.
    #[schema(example = "users.update")]
    action: String,
    /// The record that the action changed.
    #[schema(required, example = "users/7")]
    target: Option<String>,
    /// The changed fields, before the change.
    before: Value,
    /// The changed fields, after the change. For an action without changes, its parameters.
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

/// List the actions of administrators
///
/// Reading this list is not recorded.
#[utoipa::path(get, path = "/admin/audit/{auth}", tag = "Administration", operation_id = "listAudit", params(Paging),
    responses(
        (status = 200, description = "The actions, newest first.", body = AuditList),
        (status = 400, description = "`afterUnknown`: unknown cursor."),
        (status = 413, description = "`listTooLarge`: read the list in pages, with `limit` and `after`."),
    ))]
pub(crate) async fn list(_: Caller<ADMIN>, session: Session, paging: Query<Paging>) -> Result<Response> {
    let page = paging.0.page()?;
    let rows = session.read_blocking(move |db| Ok(audit::newest(db, page)?)).await?;
    bespoke_web::list(&AuditList {
        result: Outcome::Success,
        audit: rows.into_iter().map(Into::into).collect(),
    })
}
