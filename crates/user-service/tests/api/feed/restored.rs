//! The database is restored from a backup: readers have events that it never had.

use std::fs;
use std::path::Path;
use std::time::Duration;

use db::{DatabaseUrl, Db, on};
use sqlx::AssertSqlSafe;
use test_kit::TestDatabase;
use tokio::time::{Instant, sleep, timeout};

use super::{BUSY, Publisher, seq_of};
use crate::database::MIGRATIONS;

/// The state of a database with one revocation and one generation.
const RESTORE: [&str; 3] = [
    "delete from revocations where seq > 1",
    "update revocation_counter set seq = 1",
    "delete from feed_generations where number > 1",
];

/// Waits until no process has the file open: then it is complete.
async fn closed(file: &Path) {
    let log = file.with_extension("db-wal");
    let wait = async {
        while log.exists() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), wait).await.unwrap();
}

async fn restore_by_sql(database: &TestDatabase) {
    let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    for sql in RESTORE {
        on!(tx, conn => sqlx::query(AssertSqlSafe(sql)).execute(conn).await.map(drop)).unwrap();
    }
    tx.commit().await.unwrap();
    db.close().await;
}

#[actix_web::test]
async fn a_database_restored_while_the_service_was_stopped_resets_readers_that_were_ahead() {
    let backup = tempfile::tempdir().unwrap();
    let backup = backup.path().join("backup.db");
    let publisher = Publisher::new().await;
    let kept = publisher.revoke_session().await;
    let (_, at_backup) = publisher.connect_until_ready().await;
    let publisher = publisher
        .restart(async |database| {
            if let DatabaseUrl::Sqlite(file) = database.url() {
                closed(&file).await;
                fs::copy(&file, &backup).unwrap();
            }
        })
        .await;
    publisher.revoke_session().await;
    let (_, lost) = publisher.connect_until_ready().await;
    assert_eq!(seq_of(&lost), 2);

    let publisher = publisher
        .restart(async |database| match database.url() {
            DatabaseUrl::Sqlite(file) => {
                closed(&file).await;
                fs::copy(&backup, &file).unwrap();
            }
            DatabaseUrl::Postgres(_) => restore_by_sql(database).await,
        })
        .await;
    let new = publisher.revoke_session().await;

    // The number is assigned a second time, to another revocation.
    publisher.resume(&lost).await.assert_reset().await;
    let mut reader = publisher.resume(&at_backup).await;
    assert_eq!(seq_of(&reader.assert_session(&new).await), 2);
    let mut reader = publisher.connect().await;
    reader.assert_session(&kept).await;
    reader.assert_session(&new).await;
    reader.assert_next("ready").await;
}

#[actix_web::test]
async fn a_database_restored_while_the_service_runs_resets_all_readers() {
    let publisher = Publisher::new().await;
    let kept = publisher.revoke_session().await;
    let (_, at_backup) = publisher.connect_until_ready().await;
    publisher.revoke_session().await;
    let (mut reader, lost) = publisher.connect_until_ready().await;

    publisher.execute(&RESTORE).await;
    reader.assert_end().await;

    publisher.resume(&lost).await.assert_reset().await;
    let new = publisher.revoke_session().await;
    // Another replica may have written since.
    publisher.resume(&at_backup).await.assert_reset().await;
    let mut reader = publisher.connect().await;
    reader.assert_session(&kept).await;
    assert_eq!(seq_of(&reader.assert_session(&new).await), 2);
    reader.assert_next("ready").await;
    publisher.resume(&lost).await.assert_reset().await;
}

#[actix_web::test]
async fn a_number_assigned_twice_before_the_restore_is_noticed() {
    let publisher = Publisher::new().await;
    publisher.revoke_session().await;
    publisher.revoke_session().await;
    let (mut reader, lost) = publisher.connect_until_ready().await;

    // In one transaction with the restore, so that no read comes between.
    let mut statements = RESTORE.to_vec();
    statements.push("update revocation_counter set seq = 2");
    statements.push("insert into feed_generations select $id, 2, 2, started_at from feed_generations");
    let id = if publisher.users.database().is_postgres() {
        "gen_random_uuid()"
    } else {
        "randomblob(16)"
    };
    let insert = statements[4].replace("$id", id);
    statements[4] = &insert;
    publisher.execute(&statements).await;

    reader.assert_end().await;
    publisher.resume(&lost).await.assert_reset().await;
}

#[actix_web::test]
async fn after_an_outage_a_reader_resumes_if_the_database_was_not_restored() {
    let publisher = Publisher::new().await;
    publisher.revoke_session().await;
    let (mut reader, position) = publisher.connect_until_ready().await;

    publisher
        .execute(&["alter table revocation_counter rename to hidden"])
        .await;
    // Silence is how readers learn of it.
    let (began, mut last) = (Instant::now(), Duration::ZERO);
    while timeout(Duration::from_millis(1_500), reader.0.next())
        .await
        .is_ok()
    {
        last = began.elapsed();
    }
    assert!(last < BUSY, "{last:?}");
    publisher
        .users
        .service("order-service")
        .get(super::PATH)
        .await
        .assert_problem(503, "database_unavailable");
    publisher
        .execute(&["alter table hidden rename to revocation_counter"])
        .await;

    reader.assert_end().await;
    let new = publisher.revoke_session().await;
    let mut reader = publisher.resume(&position).await;
    assert_eq!(seq_of(&reader.assert_session(&new).await), 2);
    reader.assert_next("ready").await;
}
