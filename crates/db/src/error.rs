//! What an error means for the caller, on either engine. A duplicate is told by
//! [`is_unique_violation`](sqlx::error::DatabaseError::is_unique_violation), which sqlx has for both.

use std::error::Error;

use sqlx::error::DatabaseError;

/// Whether the database could not be asked, or was too slow: the same request may well succeed later.
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
        "57", // operator intervention: shutting down, starting up, cancelled by the statement's time limit
    ];
    const POSTGRES: [&str; 5] = [
        "55P03", // a lock that could not be had in time
        "25P03", // idle in a transaction for too long
        "25006", // no writes here: a server that has become a standby
        "40001", // serialisation failure
        "40P01", // deadlock
    ];
    // SQLite's extended codes keep the primary one in their low byte.
    const SQLITE: [i32; 5] = [
        5,  // busy
        6,  // locked
        9,  // interrupted: it ran for too long
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

/// Whether the same transaction, tried again at once, may well succeed: a serialisation failure, or the victim of a deadlock.
/// The error may lie anywhere in the chain of sources.
#[must_use]
pub fn is_transient(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let database = match error.downcast_ref() {
            Some(sqlx::Error::Database(error)) => Some(error),
            // A transparent error hands its source's source on, and hides the source itself.
            _ => error.downcast_ref::<Box<dyn DatabaseError>>(),
        };
        if let Some(error) = database {
            return matches!(error.code().as_deref(), Some("40001" | "40P01"));
        }
        next = error.source();
    }
    false
}
