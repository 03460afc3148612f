//! The meaning of database errors, on either engine. Duplicates are not here: sqlx recognises them on both, with
//! [`is_unique_violation`](sqlx::error::DatabaseError::is_unique_violation).

use std::error::Error;

use sqlx::error::DatabaseError;

/// Whether the database is unreachable, overloaded or too slow. The same request can succeed later.
#[must_use]
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_) => true,
        sqlx::Error::Database(error) => is_unavailable_code(error.as_ref()),
        _ => false,
    }
}

fn is_unavailable_code(error: &dyn DatabaseError) -> bool {
    const POSTGRES_CLASSES: [&str; 3] = [
        "08", // connection exception
        "53", // insufficient resources
        "57", // operator intervention: shutdown, startup, statement timeout
    ];
    const POSTGRES: [&str; 5] = [
        "55P03", // lock timeout
        "25P03", // idle in a transaction for too long: session closed
        "25006", // read-only: the server has become a standby
        "40001", // serialisation failure
        "40P01", // deadlock
    ];
    // The low byte of SQLite's extended code is the primary code.
    const SQLITE: [i32; 5] = [
        5,  // busy
        6,  // locked
        9,  // interrupted by the statement timeout
        10, // input/output error
        13, // disk full
    ];
    let Some(code) = error.code() else { return false };
    if code.len() == 5
        && error
            .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
            .is_some()
    {
        return POSTGRES_CLASSES.iter().any(|class| code.starts_with(class))
            || POSTGRES.contains(&code.as_ref());
    }
    code.parse::<i32>()
        .is_ok_and(|code| SQLITE.contains(&(code & 0xff)))
}

/// Whether an immediate retry of the same transaction can succeed: after a serialisation failure, or as the victim of a
/// deadlock. The database's error may be anywhere in the chain of sources.
#[must_use]
pub fn is_transient(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let database = match error.downcast_ref() {
            Some(sqlx::Error::Database(error)) => Some(error),
            // A transparent error skips the error that it wraps, so the chain may continue with the one inside sqlx's.
            _ => error.downcast_ref::<Box<dyn DatabaseError>>(),
        };
        if let Some(error) = database {
            return matches!(error.code().as_deref(), Some("40001" | "40P01"));
        }
        next = error.source();
    }
    false
}
