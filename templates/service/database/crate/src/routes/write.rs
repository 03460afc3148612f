//! Writing one's own note.

use actix_web::web::{Data, Json};
use auth::{Clock, VerifyToken};
use db::Db;
use service_kit::Body;

use crate::domain::{Note, NoteText};
use crate::error::NoteError;
use crate::store::Notes;

/// `PUT /examples/user`: writes the caller's note, and replaces the one before.
#[utoipa::path(
    put, path = "/examples/user", tag = "examples", operation_id = "write_note", request_body = NoteText,
    responses((status = 200, body = Note)),
)]
#[tracing::instrument(skip_all, fields(user.id = %user.id()))]
pub async fn write(
    VerifyToken(user): VerifyToken,
    Body(NoteText { text }): Body<NoteText>,
    db: Data<Db>,
    clock: Data<Clock>,
) -> Result<Json<Note>, NoteError> {
    let note = Note {
        user_id: user.id(),
        text,
        updated_at: clock.now(),
    };

    let mut tx = db.begin().await?;
    Notes(&mut tx).put(&note).await?;
    tx.commit().await?;

    tracing::info!("note written");
    Ok(Json(note))
}
