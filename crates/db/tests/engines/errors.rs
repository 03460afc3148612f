//! The meaning of errors, and timeouts.

use std::time::{Duration, Instant};

use db::{Tx, is_transient, is_unavailable, on};

use crate::{Notes, add, execute, notebook};

#[tokio::test]
async fn a_duplicate_is_a_unique_violation_on_both_engines() {
    let (_database, db) = notebook().await;
    add(&db, 1, "first").await;
    let mut tx = db.begin().await.unwrap();
    let error = Notes(&mut tx).add(1, "second").await.unwrap_err();
    assert!(!is_unavailable(&error) && !is_transient(&error), "{error:?}");
    assert!(
        error.as_database_error().unwrap().is_unique_violation(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_wrong_statement_does_not_make_the_database_unavailable() {
    let (_database, db) = notebook().await;
    for wrong in [
        "no sql",
        "select no_such_column from notes",
        "insert into notes (id) values (1)",
        "insert into no_such_table (id) values (1)",
    ] {
        let mut tx = db.begin().await.unwrap();
        let error = execute(&mut tx, wrong).await.unwrap_err();
        assert!(
            !is_unavailable(&error) && !is_transient(&error),
            "{wrong}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_closed_pool_is_unavailable() {
    let (_database, db) = notebook().await;
    assert!(db.clone().is_reachable().await);
    db.close().await;
    let error = db.read().await.unwrap_err();
    assert!(is_unavailable(&error), "{error:?}");
    let error = db.begin().await.unwrap_err();
    assert!(is_unavailable(&error), "{error:?}");
    assert!(!db.is_reachable().await);
}

/// The caller gets an error in time, and the statement does not keep its connection busy.
#[tokio::test]
async fn a_statement_that_hangs_is_cancelled_after_five_seconds() {
    const FOREVER: &str =
        "with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) from n";
    let (database, db) = notebook().await;
    let (mut one, mut other) = (db.read().await.unwrap(), db.begin().await.unwrap());
    let started = Instant::now();
    let hangs = async {
        on!(one, conn => {
            sqlx::query("select 1").execute(conn).await?;
            std::future::pending::<Result<(), sqlx::Error>>().await
        })
    };
    let slow = if database.is_postgres() {
        "select pg_sleep(30)"
    } else {
        FOREVER
    };
    let (hangs, slow) = tokio::join!(hangs, execute(&mut other, slow));
    let waited = started.elapsed();
    assert!(
        (Duration::from_millis(4_900)..Duration::from_secs(7)).contains(&waited),
        "{waited:?}"
    );
    for error in [hangs.unwrap_err(), slow.unwrap_err()] {
        assert!(is_unavailable(&error), "{error:?}");
    }
    drop((one, other));
    add(&db, 1, "after").await;
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
}

/// Time that passes between two statements, or while a connection is idle, does not count.
#[tokio::test]
async fn a_statement_after_a_long_pause_is_not_cancelled() {
    const LONG: &str =
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000) select i from n";
    let (_database, db) = notebook().await;
    add(&db, 1, "").await;
    execute(&mut db.read().await.unwrap(), LONG).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5_200)).await;
    for id in 2..300 {
        add(&db, id, "").await;
        Notes(&mut db.read().await.unwrap()).count().await.unwrap();
    }
    execute(&mut db.begin().await.unwrap(), LONG).await.unwrap();
    execute(&mut db.read().await.unwrap(), LONG).await.unwrap();
}

#[tokio::test]
async fn a_connection_works_after_the_server_cancelled_a_statement() {
    let (database, db) = notebook().await;
    let mut conn = db.read().await.unwrap();
    // SQLite has neither this setting nor this function.
    let limited = "set statement_timeout = '100ms'";
    assert_eq!(execute(&mut conn, limited).await.is_ok(), database.is_postgres());
    let error = execute(&mut conn, "select pg_sleep(30)").await.unwrap_err();
    assert_eq!(is_unavailable(&error), database.is_postgres(), "{error:?}");
    assert!(!is_transient(&error));
    if database.is_postgres() {
        assert_eq!(
            error.as_database_error().unwrap().code().as_deref(),
            Some("57014")
        );
    }
    assert_eq!(Notes(&mut conn).count().await.unwrap(), 0);
}

/// The server's lock timeout is shorter than the statement timeout, so the error says that a lock was the reason.
#[tokio::test]
async fn waiting_for_a_locked_row_ends_as_unavailable() {
    let (database, db) = notebook().await;
    add(&db, 1, "").await;
    let mut holder = db.begin().await.unwrap();
    Notes(&mut holder).rewrite(1, "held").await.unwrap();
    // On SQLite the transaction itself waits for the first one.
    let error = match db.begin().await {
        Ok(mut tx) => Notes(&mut tx).rewrite(1, "wanted").await.unwrap_err(),
        Err(error) => error,
    };
    assert!(is_unavailable(&error), "{error:?}");
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    assert_eq!(code.as_deref(), database.is_postgres().then_some("55P03"));
    holder.commit().await.unwrap();
}

#[tokio::test]
async fn only_temporary_errors_make_the_database_unavailable() {
    let (database, db) = notebook().await;
    if !database.is_postgres() {
        let mut tx = db.begin().await.unwrap();
        let error = execute(&mut tx, "pragma max_page_count = 1")
            .await
            .and(fill(&mut tx).await)
            .unwrap_err();
        // 13: the database has reached its maximum size.
        assert_eq!(
            error.as_database_error().unwrap().code().as_deref(),
            Some("13"),
            "{error:?}"
        );
        assert!(is_unavailable(&error) && !is_transient(&error));
        return;
    }
    for (code, expected) in [
        ("08006", true),
        ("53300", true),
        ("57P01", true),
        ("57014", true),
        ("55P03", true),
        ("25P03", true),
        ("25006", true),
        ("40001", true),
        ("40P01", true),
        ("25001", false),
        ("55000", false),
        ("23505", false),
        ("40002", false),
        ("42601", false),
        ("22003", false),
    ] {
        let mut conn = db.read().await.unwrap();
        let raise = format!("do $$ begin raise exception using errcode = '{code}'; end $$");
        let error = execute(&mut conn, &raise).await.unwrap_err();
        assert_eq!(is_unavailable(&error), expected, "{code}: {error:?}");
    }
}

async fn fill(tx: &mut Tx) -> Result<u64, sqlx::Error> {
    Notes(tx).add(1, &"x".repeat(100_000)).await.map(|()| 1)
}
