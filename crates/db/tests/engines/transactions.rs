//! Transactions, and what other connections see of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use db::is_unavailable;
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::{Notes, add, count, execute, notebook, open_notebook};

#[tokio::test]
async fn a_dropped_transaction_is_rolled_back() {
    let (_database, db) = notebook().await;
    let mut tx = db.begin().await.unwrap();
    Notes(&mut tx).add(1, "dropped").await.unwrap();
    assert_eq!(Notes(&mut tx).count().await.unwrap(), 1, "its own write");
    drop(tx);
    // The rollback is asynchronous. Another transaction on the writer has to wait for it.
    add(&db, 2, "kept").await;
    let mut reader = db.read().await.unwrap();
    assert_eq!(Notes(&mut reader).text(1).await.unwrap(), None);
    assert_eq!(Notes(&mut reader).text(2).await.unwrap().as_deref(), Some("kept"));
}

#[tokio::test]
async fn a_failed_transaction_is_rolled_back() {
    let (_database, db) = notebook().await;
    let outcome: Result<(), sqlx::Error> = db
        .transaction(async |tx| {
            Notes(tx).add(1, "first").await?;
            Notes(tx).add(1, "again").await
        })
        .await;
    assert!(
        outcome
            .unwrap_err()
            .into_database_error()
            .unwrap()
            .is_unique_violation()
    );
    add(&db, 2, "kept").await;
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn a_committed_transaction_is_visible_at_once() {
    let (_database, db) = notebook().await;
    for id in 1..=50 {
        add(&db, id, "kept").await;
        assert_eq!(count(&db).await, id);
    }
}

#[tokio::test]
async fn a_single_write_is_visible_at_once_and_waits_for_a_transaction() {
    let (_database, db) = notebook().await;
    for id in 1..=50 {
        Notes(&mut db.write().await.unwrap())
            .add(id, "kept")
            .await
            .unwrap();
        assert_eq!(count(&db).await, id);
    }
    let again = Notes(&mut db.write().await.unwrap()).add(1, "again").await;
    assert!(
        again
            .unwrap_err()
            .into_database_error()
            .unwrap()
            .is_unique_violation()
    );

    // It waits for a transaction that has written the same row.
    let mut tx = db.begin().await.unwrap();
    assert!(Notes(&mut tx).rewrite(1, "first").await.unwrap());
    let mut second = Box::pin(async { Notes(&mut db.write().await?).rewrite(1, "second").await });
    assert!(
        timeout(Duration::from_millis(200), &mut second).await.is_err(),
        "the write did not wait"
    );
    tx.commit().await.unwrap();
    assert!(second.await.unwrap());
    assert_eq!(
        Notes(&mut db.read().await.unwrap())
            .text(1)
            .await
            .unwrap()
            .as_deref(),
        Some("second")
    );
}

#[tokio::test]
async fn a_reader_sees_the_last_commit_and_does_not_wait_for_a_writer() {
    let (_database, db) = notebook().await;
    add(&db, 1, "before").await;
    let mut tx = db.begin().await.unwrap();
    Notes(&mut tx).rewrite(1, "after").await.unwrap();
    Notes(&mut tx).add(2, "new").await.unwrap();

    let read = async {
        let mut reader = db.read().await.unwrap();
        (
            Notes(&mut reader).text(1).await.unwrap(),
            Notes(&mut reader).count().await.unwrap(),
        )
    };
    let (text, notes) = timeout(Duration::from_secs(2), read)
        .await
        .expect("the reader waited");
    assert_eq!((text.as_deref(), notes), (Some("before"), 1));

    tx.commit().await.unwrap();
    let mut reader = db.read().await.unwrap();
    assert_eq!(
        Notes(&mut reader).text(1).await.unwrap().as_deref(),
        Some("after")
    );
    assert_eq!(Notes(&mut reader).count().await.unwrap(), 2);
}

/// Each task reads the number, and writes its successor if the number is unchanged. Without the guard, two tasks could write
/// the same successor.
#[tokio::test]
async fn concurrent_guarded_increments_are_not_lost() {
    const SQL: &str = "update notes set text = $1 where id = 1 and text = $2";
    let (_database, db) = notebook().await;
    add(&db, 1, "0").await;
    let increment = async || {
        let mut done = false;
        while !done {
            done = db
                .transaction(async |tx| {
                    let text = Notes(tx).text(1).await?.expect("the number");
                    let next = (text.parse::<i64>().expect("a number") + 1).to_string();
                    db::on!(tx, conn => {
                        let query = sqlx::query(SQL).bind(&next).bind(&text);
                        Ok::<_, sqlx::Error>(query.execute(conn).await?.rows_affected() == 1)
                    })
                })
                .await
                .unwrap();
        }
    };
    let twenty = (0..20).map(|_| increment());
    futures_util::future::join_all(twenty).await;
    let mut reader = db.read().await.unwrap();
    assert_eq!(Notes(&mut reader).text(1).await.unwrap().as_deref(), Some("20"));
}

#[tokio::test]
async fn writers_are_sequential_on_sqlite_and_concurrent_on_postgresql() {
    let (database, db) = notebook().await;
    let mut first = db.begin().await.unwrap();
    Notes(&mut first).add(1, "first").await.unwrap();

    if database.is_postgres() {
        let mut second = timeout(Duration::from_secs(2), db.begin())
            .await
            .expect("the second writer waited")
            .unwrap();
        Notes(&mut second).add(2, "second").await.unwrap();
        second.commit().await.unwrap();
        first.commit().await.unwrap();
        assert_eq!(count(&db).await, 2);
        return;
    }
    let mut second = std::pin::pin!(db.begin());
    assert!(
        timeout(Duration::from_millis(300), &mut second).await.is_err(),
        "the second writer did not wait"
    );
    first.commit().await.unwrap();
    let mut second = timeout(Duration::from_secs(2), second)
        .await
        .expect("the second writer still waits")
        .unwrap();
    // It began after the first commit, so it sees that write.
    assert_eq!(
        Notes(&mut second).text(1).await.unwrap().as_deref(),
        Some("first")
    );
}

/// SQLite has one connection for writes, PostgreSQL has ten.
#[tokio::test]
async fn a_transaction_that_waits_too_long_for_a_connection_is_unavailable() {
    let (database, db) = notebook().await;
    let connections = if database.is_postgres() { 10 } else { 1 };
    let mut held = Vec::new();
    for _ in 0..connections {
        held.push(db.begin().await.unwrap());
    }
    let begun = Instant::now();
    let error = db.begin().await.unwrap_err();
    let waited = begun.elapsed();
    assert!(is_unavailable(&error), "{error:?}");
    assert!(
        (Duration::from_secs(4)..Duration::from_secs(8)).contains(&waited),
        "{waited:?}"
    );

    // The database works again once the connections are returned.
    drop(held);
    add(&db, 1, "next").await;
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn a_read_connection_of_sqlite_cannot_write() {
    let (database, db) = notebook().await;
    let written = Notes(&mut db.read().await.unwrap())
        .add(1, "past the writer")
        .await;
    assert_eq!(written.is_ok(), database.is_postgres(), "{written:?}");
}

#[tokio::test]
async fn a_full_database_can_be_written_again_after_the_rollback() {
    let (database, db) = notebook().await;
    add(&db, 1, "before").await;
    let mut tx = db.begin().await.unwrap();
    if database.is_postgres() {
        // PostgreSQL has no such limit. Any error aborts its transaction in the same way.
        execute(&mut tx, "select 1 / 0").await.unwrap_err();
    } else {
        execute(&mut tx, "pragma max_page_count = 1").await.unwrap();
        let full = Notes(&mut tx).add(2, &"x".repeat(1_000_000)).await.unwrap_err();
        assert!(is_unavailable(&full), "{full:?}");
    }
    drop(tx);
    add(&db, 3, "after").await;
    assert_eq!(count(&db).await, 2);
}

#[tokio::test]
async fn an_action_after_the_commit_runs_once_and_not_after_a_rollback() {
    let (_database, db) = notebook().await;
    let runs = Arc::new(AtomicU32::new(0));
    let count_run = || {
        let runs = Arc::clone(&runs);
        move || {
            runs.fetch_add(1, Ordering::Relaxed);
        }
    };

    let mut tx = db.begin().await.unwrap();
    tx.after_commit(count_run());
    drop(tx);
    assert_eq!(runs.load(Ordering::Relaxed), 0);

    let attempts = AtomicU32::new(0);
    let outcome: Result<(), sqlx::Error> = db
        .transaction(async |tx| {
            tx.after_commit(count_run());
            match attempts.fetch_add(1, Ordering::Relaxed) {
                0 => Err(sqlx::Error::RowNotFound),
                _ => Ok(()),
            }
        })
        .await;
    assert!(outcome.is_err());
    assert_eq!(runs.load(Ordering::Relaxed), 0);

    let mut tx = db.begin().await.unwrap();
    tx.after_commit(count_run());
    assert_eq!(runs.load(Ordering::Relaxed), 0);
    tx.commit().await.unwrap();
    assert_eq!(runs.load(Ordering::Relaxed), 1);

    db.write().await.unwrap().after_commit(count_run());
    assert_eq!(runs.load(Ordering::Relaxed), 2, "at once outside a transaction");
}

#[test]
fn a_transaction_that_outlives_its_runtime_is_rolled_back() {
    let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
    let ending = runtime();
    let (database, tx) = ending.block_on(async {
        let (database, db) = notebook().await;
        let mut tx = db.begin().await.unwrap();
        Notes(&mut tx).add(1, "dropped").await.unwrap();
        (database, tx)
    });
    drop(ending);
    drop(tx);

    runtime().block_on(async {
        let db = open_notebook(&database).await;
        // It would wait for the first transaction.
        add(&db, 1, "kept").await;
        assert_eq!(count(&db).await, 1);
    });
}
