//! The table `notes`.

use db::{Conn, on};
use service_kit::{Cursor, Limit};
use uuid::Uuid;

use crate::domain::Note;

/// The table, seen through one connection or transaction.
pub(crate) struct Notes<'c>(pub &'c mut Conn);

impl Notes<'_> {
    /// The note of this user.
    pub(crate) async fn find(&mut self, user_id: Uuid) -> Result<Option<Note>, sqlx::Error> {
        const SQL: &str = "select user_id, text, updated_at from notes where user_id = $1";
        on!(self.0, conn => sqlx::query_as(SQL).bind(user_id).fetch_optional(conn).await)
    }

    /// How many notes there are.
    pub(crate) async fn count(&mut self) -> Result<i64, sqlx::Error> {
        const SQL: &str = "select count(*) from notes";
        on!(self.0, conn => sqlx::query_scalar(SQL).fetch_one(conn).await)
    }

    /// All notes, those of the newest users first: ids are UUIDs of version 7, which sort by time.
    pub(crate) async fn list(&mut self, cursor: Cursor, limit: Limit) -> Result<Vec<Note>, sqlx::Error> {
        const SQL: &str = "
            select user_id, text, updated_at from notes
            where user_id < $1 order by user_id desc limit $2";
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(cursor.below())
            .bind(limit.rows())
            .fetch_all(conn)
            .await)
    }

    /// Inserts a user's note, or replaces it.
    pub(crate) async fn put(&mut self, note: &Note) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into notes (user_id, text, updated_at) values ($1, $2, $3)
            on conflict (user_id) do update set text = excluded.text, updated_at = excluded.updated_at";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(note.user_id)
            .bind(&note.text)
            .bind(note.updated_at)
            .execute(conn)
            .await
            .map(drop))
    }
}
