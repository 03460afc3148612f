//! Reading one's own note.

use actix_web::web::{Data, Json};
use auth::VerifyToken;
use db::Db;

use crate::domain::Note;
use crate::error::NoteError;
use crate::store::Notes;

/// `GET /examples/user`: returns the caller's note.
#[utoipa::path(
    get, path = "/examples/user", tag = "examples", operation_id = "read_note",
    // Without a note the response is 404.
    extensions(("x-requires" = json!(["write_note"]))),
    responses((status = 200, body = Note), (status = 404, description = "the caller has not written a note")),
)]
pub async fn read(VerifyToken(user): VerifyToken, db: Data<Db>) -> Result<Json<Note>, NoteError> {
    let note = Notes(&mut db.read().await?).find(user.id()).await?;

    note.map(Json).ok_or(NoteError::NotFound)
}
