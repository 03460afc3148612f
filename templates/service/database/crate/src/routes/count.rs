//! Counting notes, for everyone.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::Anyone;
use db::Db;
use service_kit::etag;

use crate::domain::NoteCount;
use crate::error::NoteError;
use crate::store::Notes;

/// `GET /examples/public`: returns how many notes there are.
#[utoipa::path(
    get, path = "/examples/public", tag = "examples", operation_id = "count_notes",
    responses(
        (status = 200, body = NoteCount, headers(("etag" = String))),
        (status = 304, description = "the number has not changed since the version in `If-None-Match`"),
    ),
)]
pub async fn count(_: Anyone, request: HttpRequest, db: Data<Db>) -> Result<HttpResponse, NoteError> {
    let count = NoteCount {
        notes: Notes(&mut db.read().await?).count().await?,
    };

    Ok(etag::respond(&request, etag::of_content(&count), &count))
}
