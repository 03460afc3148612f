//! Creating a database on a PostgreSQL server.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::conn::bounded;
use crate::url::DatabaseUrl;

/// Creates a database of this name on the server if it does not exist. Does nothing on SQLite, where `Db::open` creates the
/// file.
///
/// # Errors
/// When the server is unavailable or refuses, or the name is not of lower-case letters, digits and underscores.
pub async fn create_database(server: &DatabaseUrl, name: &str) -> Result<(), sqlx::Error> {
    let DatabaseUrl::Postgres(options) = server else {
        return Ok(());
    };
    if !is_safe(name) {
        return Err(sqlx::Error::Configuration(
            format!("{name:?} is not a valid database name").into(),
        ));
    }

    let options = options.as_ref().clone();
    // Every server has the database `postgres`, and a connection needs one.
    let options = if server.names_a_database() {
        options
    } else {
        options.database("postgres")
    };
    let mut conn = bounded(PgConnection::connect_with(&options)).await?;

    let existing = sqlx::query("select 1 from pg_database where datname = $1")
        .bind(name)
        .fetch_optional(&mut conn)
        .await?;
    if existing.is_none() {
        // PostgreSQL can't bind the name as a parameter. `is_safe` has checked it.
        let created = sqlx::query(AssertSqlSafe(format!("create database {name}")))
            .execute(&mut conn)
            .await;
        match created {
            // Another process created it after the query above.
            Err(error) if is_duplicate(&error) => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    conn.close().await
}

fn is_safe(name: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !name.is_empty() && name.bytes().all(is_safe)
}

fn is_duplicate(error: &sqlx::Error) -> bool {
    const DUPLICATE_DATABASE: &str = "42P04";
    // The server's error when two processes create the database at the same moment.
    const UNIQUE_VIOLATION: &str = "23505";
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some(DUPLICATE_DATABASE | UNIQUE_VIOLATION))
}
