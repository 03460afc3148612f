//! Reading the audit log.

use actix_web::web::{Data, Json};
use auth::IsAdmin;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Id, Page, Paging, Query};
use utoipa::IntoParams;

use crate::domain::{AuditRecord, Event};
use crate::error::UserError;
use crate::store::AuditLogRows;

#[derive(Deserialize, Validate, IntoParams)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only records with this user as actor or subject.
    #[param(value_type = Option<Uuid>)]
    user_id: Option<Id>,
    /// Only records of this event.
    event: Option<Event>,
}

/// `GET /admin/audit-log`: lists audit records, newest first.
#[utoipa::path(
    get, path = "/admin/audit-log", tag = "admin", operation_id = "list_audit_records", params(AuditQuery, Paging),
    responses((status = 200, body = Page<AuditRecord>)),
)]
pub async fn audit_log(
    _: IsAdmin,
    Query(query): Query<AuditQuery>,
    paging: Paging,
    db: Data<Db>,
) -> Result<Json<Page<AuditRecord>>, UserError> {
    let mut conn = db.read().await?;
    let records = AuditLogRows(&mut conn)
        .list(
            query.user_id.map(|Id(id)| id),
            query.event,
            paging.cursor,
            paging.limit(),
        )
        .await?;
    Ok(Json(Page::of(records, paging.limit(), |record| record.id)))
}
