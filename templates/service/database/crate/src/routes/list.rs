//! Listing all notes, for admins.

use actix_web::web::{Data, Json};
use auth::IsAdmin;
use db::Db;
use service_kit::{Page, Paging};

use crate::domain::Note;
use crate::error::NoteError;
use crate::store::Notes;

/// `GET /examples/admin`: lists all notes, those of the newest users first.
#[utoipa::path(
    get, path = "/examples/admin", tag = "examples", operation_id = "list_notes", params(Paging),
    responses((status = 200, body = Page<Note>)),
)]
#[tracing::instrument(skip_all, fields(admin.id = %admin.id()))]
pub async fn list(
    IsAdmin(admin): IsAdmin,
    paging: Paging,
    db: Data<Db>,
) -> Result<Json<Page<Note>>, NoteError> {
    let notes = Notes(&mut db.read().await?)
        .list(paging.cursor, paging.limit())
        .await?;

    Ok(Json(Page::of(notes, paging.limit(), |note| note.user_id)))
}
