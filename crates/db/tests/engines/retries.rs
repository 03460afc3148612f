//! Retries of transactions.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use db::{Db, is_transient};
use tokio::sync::Barrier;
use tokio::time::timeout;

use crate::{Notes, add, count, execute, notebook};

/// A service's error that wraps the database's error.
#[derive(Debug, thiserror::Error)]
enum Wrapped {
    #[error("The database failed.")]
    Named(#[source] sqlx::Error),
    #[error(transparent)]
    Transparent(#[from] sqlx::Error),
}

#[derive(Debug, thiserror::Error)]
#[error("Something failed.")]
struct Outer(#[from] Wrapped);

impl From<sqlx::Error> for Outer {
    fn from(error: sqlx::Error) -> Self {
        Self(Wrapped::Transparent(error))
    }
}

const SERIALIZATION: &str = "do $$ begin raise exception using errcode = '40001'; end $$";
const DEADLOCK: &str = "do $$ begin raise exception using errcode = '40P01'; end $$";
const ORDINARY: &str = "do $$ begin raise exception using errcode = '23514'; end $$";

/// Fails this many times with this statement, each time after writing a note. Returns the outcome and the number of attempts.
async fn attempts(db: &Db, sql: &str, failures: u32) -> (Result<(), sqlx::Error>, u32) {
    let made = Cell::new(0);
    let outcome = db
        .transaction(async |tx| {
            made.set(made.get() + 1);
            Notes(tx).add(i64::from(made.get()), "attempt").await?;
            if made.get() <= failures {
                execute(tx, sql).await.map(drop)
            } else {
                Ok(())
            }
        })
        .await;
    (outcome, made.get())
}

#[tokio::test]
async fn a_transaction_is_attempted_at_most_four_times() {
    let (database, db) = notebook().await;
    if database.is_postgres() {
        for sql in [SERIALIZATION, DEADLOCK] {
            let (outcome, made) = attempts(&db, sql, u32::MAX).await;
            assert!(is_transient(&outcome.unwrap_err()));
            assert_eq!(made, 4);
        }
        assert_eq!(count(&db).await, 0);

        let (outcome, made) = attempts(&db, SERIALIZATION, 3).await;
        outcome.unwrap();
        assert_eq!(made, 4);
        // Only the note of the last attempt is committed.
        assert_eq!(count(&db).await, 1);
    } else {
        // SQLite has one writer, so it has no transient failures.
        let (outcome, made) = attempts(&db, "insert into notes (id, text) values (1, '')", 1).await;
        assert!(!is_transient(&outcome.unwrap_err()));
        assert_eq!(made, 1);
    }
}

#[tokio::test]
async fn an_ordinary_error_is_not_retried() {
    let (database, db) = notebook().await;
    let ordinary = if database.is_postgres() {
        ORDINARY
    } else {
        "insert into notes (id) values (7)"
    };
    let (outcome, made) = attempts(&db, ordinary, u32::MAX).await;
    assert!(!is_transient(&outcome.unwrap_err()));
    assert_eq!((made, count(&db).await), (1, 0));

    // Nor is an error that does not come from the database.
    let made = Cell::new(0);
    let outcome: Result<(), sqlx::Error> = db
        .transaction(async |_| {
            made.set(made.get() + 1);
            Err(sqlx::Error::RowNotFound)
        })
        .await;
    assert!(matches!(outcome, Err(sqlx::Error::RowNotFound)));
    assert_eq!(made.get(), 1);
}

#[tokio::test]
async fn a_transient_failure_is_recognised_at_any_depth() {
    let (database, db) = notebook().await;
    let mut conn = db.read().await.unwrap();
    let sql = if database.is_postgres() {
        SERIALIZATION
    } else {
        "select no_such_column"
    };
    let mut fail = async || execute(&mut conn, sql).await.unwrap_err();
    let transient = database.is_postgres();
    assert_eq!(is_transient(&fail().await), transient);
    assert_eq!(is_transient(&Wrapped::Named(fail().await)), transient);
    assert_eq!(is_transient(&Wrapped::Transparent(fail().await)), transient);
    assert_eq!(is_transient(&Outer(Wrapped::Named(fail().await))), transient);
    assert_eq!(
        is_transient(&Outer(Wrapped::Transparent(fail().await))),
        transient
    );
}

/// Each of two transactions locks a row and then waits for the other's. On SQLite the second begins after the first has ended.
#[tokio::test]
async fn both_transactions_of_a_deadlock_succeed() {
    let (database, db) = notebook().await;
    add(&db, 1, "").await;
    add(&db, 2, "").await;
    let both_hold_one = Arc::new(Barrier::new(if database.is_postgres() { 2 } else { 1 }));
    let attempts = Cell::new(0);
    let swap = async |name: &'static str, first: i64, second: i64| -> Result<(), sqlx::Error> {
        let tried = Cell::new(false);
        db.transaction(async |tx| {
            attempts.set(attempts.get() + 1);
            Notes(tx).rewrite(first, name).await?;
            // Only at the first attempt: the retry runs alone.
            if !tried.replace(true) {
                both_hold_one.wait().await;
            }
            Notes(tx).rewrite(second, name).await.map(drop)
        })
        .await
    };
    let both = Box::pin(async { tokio::join!(swap("ada", 1, 2), swap("bob", 2, 1)) });
    let (ada, bob) = timeout(Duration::from_secs(20), both)
        .await
        .expect("the deadlock was not resolved");
    ada.unwrap();
    bob.unwrap();
    assert_eq!(attempts.get(), if database.is_postgres() { 3 } else { 2 });
    let mut reader = db.read().await.unwrap();
    let (one, two) = (
        Notes(&mut reader).text(1).await.unwrap(),
        Notes(&mut reader).text(2).await.unwrap(),
    );
    assert_eq!(one, two, "one transaction wrote both rows last");
}
