//! Each migration runs once, also when several processes start together.

use db::{DatabaseUrl, Db, Migrations};
use futures_util::future::join_all;
use sqlx::migrate::MigrateError;
use test_kit::TestDatabase;

use crate::{NOTES, NOTES_SQLITE, add, count, execute, migrations};

/// Migrations that fail if they run twice, because the table and the note exist.
fn notes() -> Migrations {
    const FIRST: &str = "insert into notes (id, text) values (1, 'first')";
    migrations(&[NOTES_SQLITE, FIRST], &[NOTES, FIRST])
}

#[tokio::test]
async fn a_migration_runs_once() {
    let database = TestDatabase::new().await;
    for _ in 0..3 {
        let db = Db::open(&database.url(), &notes()).await.unwrap();
        assert_eq!(count(&db).await, 1);
        db.close().await;
    }
}

#[tokio::test]
async fn a_new_migration_runs_after_the_old_ones() {
    let database = TestDatabase::new().await;
    let db = Db::open(&database.url(), &migrations(&[NOTES_SQLITE], &[NOTES]))
        .await
        .unwrap();
    add(&db, 7, "kept").await;
    db.close().await;
    let db = Db::open(&database.url(), &notes()).await.unwrap();
    assert_eq!(count(&db).await, 2);
}

/// Opens the database as a separate process would, and uses it.
#[tokio::main(flavor = "current_thread")]
async fn replica(url: &DatabaseUrl, number: i64) -> Result<i64, MigrateError> {
    let db = Db::open(url, &notes()).await?;
    add(&db, number, "written").await;
    let seen = count(&db).await;
    db.close().await;
    Ok(seen)
}

#[tokio::test]
async fn eight_replicas_open_a_new_database_together() {
    for round in 0..12 {
        let database = TestDatabase::new().await;
        let replicas: Vec<_> = (2..10)
            .map(|number| {
                let url = database.url();
                std::thread::spawn(move || replica(&url, number))
            })
            .collect();
        let mut most = 0;
        for replica in replicas {
            let seen = replica.join().unwrap();
            most = most.max(seen.unwrap_or_else(|error| panic!("round {round}: {error:?}")));
        }
        assert_eq!(most, 9, "the last replica sees all notes");
    }
}

#[tokio::test]
async fn eight_concurrent_opens_in_one_process_succeed() {
    for _ in 0..3 {
        let database = TestDatabase::new().await;
        let (url, migrations) = (database.url(), notes());
        for opened in join_all((0..8).map(|_| Db::open(&url, &migrations))).await {
            assert_eq!(count(&opened.unwrap()).await, 1);
        }
    }
}

#[tokio::test]
async fn a_migration_that_changed_after_it_ran_is_refused() {
    const OTHER: &str = "create table other (id integer primary key)";
    let database = TestDatabase::new().await;
    Db::open(&database.url(), &notes()).await.unwrap().close().await;
    let changed = migrations(&[NOTES_SQLITE, OTHER], &[NOTES, OTHER]);
    let error = Db::open(&database.url(), &changed).await.unwrap_err();
    assert!(matches!(error, MigrateError::VersionMismatch(2)), "{error:?}");

    // Nothing has changed, and the original migrations still work.
    let db = Db::open(&database.url(), &notes()).await.unwrap();
    assert!(
        execute(&mut db.read().await.unwrap(), "select id from other")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_failed_migration_is_rolled_back_and_releases_its_lock() {
    const HALF: &str = "create table half (id integer primary key); insert into nowhere (id) values (1)";
    let database = TestDatabase::new().await;
    let failing = migrations(&[NOTES_SQLITE, HALF], &[NOTES, HALF]);
    let error = Db::open(&database.url(), &failing).await.unwrap_err();
    assert!(matches!(error, MigrateError::ExecuteMigration(_, 2)), "{error:?}");

    let db = Db::open(&database.url(), &notes()).await.unwrap();
    assert_eq!(count(&db).await, 1);
    assert!(
        execute(&mut db.read().await.unwrap(), "select id from half")
            .await
            .is_err()
    );
}

/// The statement timeout does not apply.
#[tokio::test]
async fn a_migration_has_no_timeout() {
    const SLOW: &str = "select pg_sleep(5.5)";
    const SLOW_SQLITE: &str = "select 1";
    let database = TestDatabase::new().await;
    let slow = migrations(&[NOTES_SQLITE, SLOW_SQLITE], &[NOTES, SLOW]);
    let open = async || Db::open(&database.url(), &slow).await.map(|_| ());
    // The second one waits for the lock, without a timeout too.
    let (first, second) = tokio::join!(open(), open());
    first.unwrap();
    second.unwrap();
}
