//! Notifications between processes. Only PostgreSQL has them.

use std::time::Duration;

use db::{Db, Listener};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::{execute, notebook};

const DEADLINE: Duration = Duration::from_secs(20);
/// A notification that has not arrived after this time was not sent.
const SILENCE: Duration = Duration::from_millis(200);

/// A listener whose calls a test can await.
struct TestListener {
    calls: mpsc::UnboundedReceiver<()>,
    listener: Listener,
}

impl TestListener {
    fn start(db: &Db, channel: &'static str) -> Self {
        let (called, calls) = mpsc::unbounded_channel();
        let listener = db.listen(channel, move || called.send(()).unwrap_or_default());
        Self { calls, listener }
    }

    async fn assert_notified(&mut self) {
        let call = timeout(DEADLINE, self.calls.recv()).await;
        call.expect("a notification in time").expect("a listener");
    }

    async fn assert_silent(&mut self) {
        let call = timeout(SILENCE, self.calls.recv()).await;
        assert_ne!(call, Ok(Some(())), "a notification");
    }
}

async fn notify(db: &Db, channel: &str) {
    let mut tx = db.begin().await.expect("a transaction");
    tx.notify(channel).await.expect("a notification");
    tx.commit().await.expect("a commit");
}

#[tokio::test]
async fn a_listener_is_notified_at_the_commit_and_only_of_its_channel() {
    let (database, db) = notebook().await;
    let mut listener = TestListener::start(&db, "notes");
    if !database.is_postgres() {
        notify(&db, "notes").await;
        return listener.assert_silent().await;
    }
    listener.assert_notified().await;

    notify(&db, "other").await;
    let mut tx = db.begin().await.expect("a transaction");
    tx.notify("notes").await.expect("a notification");
    listener.assert_silent().await;
    tx.commit().await.expect("a commit");
    listener.assert_notified().await;

    let mut tx = db.begin().await.expect("a transaction");
    tx.notify("notes").await.expect("a notification");
    drop(tx);
    listener.assert_silent().await;
}

#[tokio::test]
async fn a_listener_whose_connection_breaks_listens_again() {
    const BREAK: &str = "
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and query like 'LISTEN%'";
    let (database, db) = notebook().await;
    if !database.is_postgres() {
        return;
    }
    let mut listener = TestListener::start(&db, "notes");
    listener.assert_notified().await;

    let mut conn = db.write().await.expect("a connection");
    assert_eq!(execute(&mut conn, BREAK).await.expect("permission"), 1);

    listener.assert_notified().await;
    notify(&db, "notes").await;
    listener.assert_notified().await;
}

#[tokio::test]
async fn a_dropped_listener_is_not_notified() {
    let (database, db) = notebook().await;
    if !database.is_postgres() {
        return;
    }
    let TestListener { mut calls, listener } = TestListener::start(&db, "notes");
    timeout(DEADLINE, calls.recv()).await.expect("a connection");
    drop(listener);
    let ended = timeout(DEADLINE, calls.recv()).await;
    assert_eq!(ended.expect("the listener ends"), None);
}

#[tokio::test]
async fn a_listener_takes_no_connection_from_the_pool() {
    let (database, db) = notebook().await;
    if !database.is_postgres() {
        return;
    }
    let mut listener = TestListener::start(&db, "notes");
    listener.assert_notified().await;

    let mut pool = Vec::new();
    for _ in 0..10 {
        pool.push(db.read().await.expect("a connection"));
    }
}
