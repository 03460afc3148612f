//! Making a database on a PostgreSQL server.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::conn::bounded;
use crate::url::DatabaseUrl;

/// Makes a database of this name on the server, unless there is one. On SQLite, where opening makes it, it does nothing.
///
/// # Errors
/// When the server can't be asked or refuses, and on a name that is not of small letters, digits and underscores.
pub async fn create_database(server: &DatabaseUrl, name: &str) -> Result<(), sqlx::Error> {
    const DUPLICATE_DATABASE: &str = "42P04";
    // What the server says instead where two make it at the same moment.
    const UNIQUE_VIOLATION: &str = "23505";
    let DatabaseUrl::Postgres(options) = server else {
        return Ok(());
    };
    if name.is_empty()
        || !name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    {
        return Err(sqlx::Error::Configuration(
            format!("{name:?} is no name for a database").into(),
        ));
    }
    let options = options.as_ref().clone();
    // Every server has the one that is named here.
    let options = if server.names_a_database() {
        options
    } else {
        options.database("postgres")
    };
    let mut conn = bounded(PgConnection::connect_with(&options)).await?;
    let there = sqlx::query("select 1 from pg_database where datname = $1")
        .bind(name)
        .fetch_optional(&mut conn)
        .await?;
    if there.is_none() {
        // A database can't be made with a bound name. This one was checked.
        let created = sqlx::query(AssertSqlSafe(format!("create database {name}")))
            .execute(&mut conn)
            .await;
        match created {
            // Another did, between the question and the making.
            Err(sqlx::Error::Database(error))
                if matches!(
                    error.code().as_deref(),
                    Some(DUPLICATE_DATABASE | UNIQUE_VIOLATION)
                ) => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    conn.close().await
}
