//! Reading the audit log.

use actix_web::web::{Data, Json};
use auth::IsAdmin;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Cursor, Limit, Page, Query};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::domain::{AuditRecord, Event};
use crate::error::UserError;
use crate::store::AuditLog;

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only what this person did, or what was done to them.
    #[garde(skip)]
    user_id: Option<Uuid>,
    /// Only this event.
    #[garde(skip)]
    event: Option<Event>,
    /// How many items a page has: 1 to 100, by default 20.
    #[garde(skip)]
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[garde(skip)]
    #[serde(default)]
    #[param(value_type = Option<String>)]
    cursor: Cursor,
}

/// `GET /admin/audit-log`: who did what to whom, when, from where and how it ended, the newest first.
#[utoipa::path(
    get, path = "/admin/audit-log", tag = "admin", params(AuditQuery),
    responses(
        (status = 200, body = Page<AuditRecord>),
        (status = 400, description = "a parameter is not valid"),
    ),
)]
pub async fn audit_log(
    _: IsAdmin,
    Query(query): Query<AuditQuery>,
    db: Data<Db>,
) -> Result<Json<Page<AuditRecord>>, UserError> {
    let AuditQuery {
        user_id,
        event,
        limit,
        cursor,
    } = query;
    let records = AuditLog(&mut db.read().await?)
        .list(user_id, event, cursor, limit)
        .await?;
    Ok(Json(Page::of(records, limit, |record| record.id)))
}
