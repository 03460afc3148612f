//! Creating a database for each service on one server.

use db::{DatabaseUrl, Db, create_database};
use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use test_kit::TestDatabase;
use uuid::Uuid;

use crate::{add, count, execute, notebook};

#[tokio::test]
async fn concurrent_calls_create_a_database_once() {
    let here = TestDatabase::new().await;
    let url = here.url();
    let DatabaseUrl::Postgres(server) = &url else {
        // On SQLite, `Db::open` creates the file.
        create_database(&here.url(), "anything").await.unwrap();
        let DatabaseUrl::Sqlite(file) = here.url() else {
            return;
        };
        assert!(!file.exists());
        return;
    };
    for _ in 0..3 {
        let name = format!("created_{}", Uuid::new_v4().simple());
        let created = join_all((0..8).map(|_| create_database(&url, &name))).await;
        let again = create_database(&url, &name).await;

        let opened = PgConnection::connect_with(&server.as_ref().clone().database(&name))
            .await
            .map(drop);
        let mut conn = PgConnection::connect_with(server).await.unwrap();
        let drop_database = AssertSqlSafe(format!("drop database if exists {name} with (force)"));
        sqlx::query(drop_database).execute(&mut conn).await.unwrap();
        opened.unwrap();
        again.unwrap();
        for outcome in created {
            outcome.unwrap();
        }
    }
}

#[tokio::test]
async fn an_invalid_name_is_refused_without_a_connection() {
    // Nothing listens on this port, so a connection would be another error.
    let server: DatabaseUrl = "postgres://ada@127.0.0.1:1/postgres".parse().unwrap();
    for name in ["", "A", "a-b", "a b", "a;drop database b", "ä", "\"a\"", "a\0"] {
        let error = create_database(&server, name).await.unwrap_err();
        assert!(
            matches!(error, sqlx::Error::Configuration(_)),
            "{name}: {error:?}"
        );
    }
}

#[tokio::test]
async fn databases_of_one_server_are_separate() {
    let (_one, ada) = notebook().await;
    let (_other, bob): (TestDatabase, Db) = notebook().await;
    add(&ada, 1, "ada's").await;
    assert_eq!((count(&ada).await, count(&bob).await), (1, 0));
    let mut tx = bob.begin().await.unwrap();
    assert_eq!(execute(&mut tx, "delete from notes").await.unwrap(), 0);
}
