//! Counting notes, for other services.

use actix_web::web::{Data, Json};
use auth::IsService;
use db::Db;

use crate::domain::NoteCount;
use crate::error::NoteError;
use crate::store::Notes;

/// `GET /internal/examples/service`: returns how many notes there are. `services.toml` says which services get tokens for
/// this service, and the gateway never forwards a path below `/internal`.
#[utoipa::path(
    get, path = "/internal/examples/service", tag = "internal", operation_id = "report_notes",
    responses((status = 200, body = NoteCount)),
)]
#[tracing::instrument(skip_all, fields(caller = caller.name()))]
pub async fn report(IsService(caller): IsService, db: Data<Db>) -> Result<Json<NoteCount>, NoteError> {
    let notes = Notes(&mut db.read().await?).count().await?;

    Ok(Json(NoteCount { notes }))
}
