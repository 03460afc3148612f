//! SQLite's files: permissions, durability, and processes that share a file.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use db::{Conn, DatabaseUrl, Db, is_unavailable, on};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::{NOTES, NOTES_SQLITE, Notes, add, count, execute, migrations};

async fn open(file: &Path) -> Db {
    let url = DatabaseUrl::Sqlite(file.to_owned());
    Db::open(&url, &migrations(&[NOTES_SQLITE], &[NOTES]))
        .await
        .expect("a database")
}

async fn new_database() -> (TempDir, Db) {
    let directory = tempfile::tempdir().expect("a directory");
    let db = open(&directory.path().join("notes.db")).await;
    (directory, db)
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("a file").permissions().mode() & 0o7777
}

#[tokio::test]
async fn created_files_and_directories_are_private_to_their_owner() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let inner = directory.path().join("data/deep");
    let db = open(&inner.join("notes.db")).await;
    add(&db, 1, "written").await;

    assert_eq!(mode(&inner), 0o700);
    assert_eq!(mode(inner.parent().unwrap()), 0o700);
    let mut names = Vec::new();
    for entry in inner.read_dir().unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(
        names,
        ["notes.db", "notes.db-shm", "notes.db-wal", "notes.migrating"]
    );
    // An existing directory keeps its permissions.
    assert_eq!(mode(directory.path()), 0o755);
}

async fn pragma<T>(conn: &mut Conn, sql: &'static str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + Unpin,
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    on!(conn, conn => sqlx::query_scalar(sql).fetch_one(conn).await).expect("a value")
}

#[tokio::test]
async fn commits_are_durable_and_foreign_keys_are_enforced() {
    let (_directory, db) = new_database().await;
    let mut tx = db.begin().await.unwrap();
    // 2 is FULL: a commit survives a power loss.
    assert_eq!(pragma::<i64>(&mut tx, "pragma synchronous").await, 2);
    assert_eq!(pragma::<String>(&mut tx, "pragma journal_mode").await, "wal");
    assert_eq!(pragma::<i64>(&mut tx, "pragma foreign_keys").await, 1);
    assert_eq!(pragma::<i64>(&mut tx, "pragma busy_timeout").await, 5_000);
    let mut reader = db.read().await.unwrap();
    assert_eq!(pragma::<String>(&mut reader, "pragma journal_mode").await, "wal");

    execute(
        &mut tx,
        "create table replies (note integer not null references notes (id)) strict",
    )
    .await
    .unwrap();
    let error = execute(&mut tx, "insert into replies (note) values (7)")
        .await
        .unwrap_err();
    assert!(error.into_database_error().unwrap().is_foreign_key_violation());
    Notes(&mut tx).add(7, "there").await.unwrap();
    execute(&mut tx, "insert into replies (note) values (7)")
        .await
        .unwrap();
    assert!(execute(&mut tx, "delete from notes").await.is_err());
}

#[tokio::test]
async fn a_file_that_cannot_be_created_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    for wrong in ["file/notes.db", "."] {
        let url = DatabaseUrl::Sqlite(directory.path().join(wrong));
        assert!(Db::open(&url, &migrations(&[], &[])).await.is_err(), "{wrong}");
    }
    std::fs::write(
        directory.path().join("other"),
        "This is not a database, and long enough to have a header.".repeat(99),
    )
    .unwrap();
    let url = DatabaseUrl::Sqlite(directory.path().join("other"));
    assert!(Db::open(&url, &migrations(&[], &[])).await.is_err());
}

#[tokio::test]
async fn two_processes_write_one_file_in_turn() {
    let (directory, here) = new_database().await;
    let there = open(&directory.path().join("notes.db")).await;
    let mut tx = here.begin().await.unwrap();
    Notes(&mut tx).add(1, "here").await.unwrap();
    assert_eq!(count(&there).await, 0);

    let mut waiting = std::pin::pin!(there.begin());
    assert!(
        timeout(Duration::from_millis(300), &mut waiting).await.is_err(),
        "the second writer did not wait"
    );
    tx.commit().await.unwrap();
    let mut tx = timeout(Duration::from_secs(2), waiting)
        .await
        .expect("the second writer still waits")
        .unwrap();
    Notes(&mut tx).add(2, "there").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((count(&here).await, count(&there).await), (2, 2));
}

#[tokio::test]
async fn a_file_locked_by_another_process_is_unavailable_until_it_is_released() {
    let (directory, here) = new_database().await;
    let there = open(&directory.path().join("notes.db")).await;
    let held = here.begin().await.unwrap();
    let error = there.begin().await.unwrap_err();
    assert!(is_unavailable(&error), "{error:?}");
    drop(held);
    add(&there, 1, "there").await;
    add(&here, 2, "here").await;

    // SQLite's own error, when its timeout is shorter than this crate's.
    let mut tx = there.begin().await.unwrap();
    execute(&mut tx, "pragma busy_timeout = 100").await.unwrap();
    tx.commit().await.unwrap();
    let _held = here.begin().await.unwrap();
    let error = there.begin().await.unwrap_err();
    assert_eq!(
        error.as_database_error().unwrap().code().as_deref(),
        Some("5"),
        "{error:?}"
    );
    assert!(is_unavailable(&error));
}
