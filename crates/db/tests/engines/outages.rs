//! A database that goes away, and comes back.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use db::{DatabaseUrl, Db, create_database, is_unavailable};
use sqlx::migrate::MigrateError;
use test_kit::TestDatabase;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::{NOTES, Notes, add, count, migrations, notebook};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Works,
    /// Nothing comes through any more, and nobody says so.
    Silent,
    Cut,
}

/// What stands between a test and its server, so that the server can go away for this test alone.
struct Proxy {
    url: DatabaseUrl,
    line: watch::Sender<Line>,
}

impl Proxy {
    /// Before this database's server. SQLite has none that could go away.
    async fn before(database: &TestDatabase) -> Option<Self> {
        let DatabaseUrl::Postgres(options) = database.url() else {
            return None;
        };
        let server = format!("{}:{}", options.get_host(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (line, watched) = watch::channel(Line::Works);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *watched.borrow() == Line::Cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&server).await else {
                    continue;
                };
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(forward(from_client, to_server, watched.clone()));
                tokio::spawn(forward(from_server, to_client, watched.clone()));
            }
        });
        let options = options.as_ref().clone().host("127.0.0.1").port(address.port());
        Some(Self {
            url: DatabaseUrl::Postgres(Box::new(options)),
            line,
        })
    }

    async fn open(&self) -> Db {
        Db::open(&self.url, &migrations(&[], &[NOTES]))
            .await
            .expect("a database")
    }
}

async fn forward(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut line: watch::Receiver<Line>,
) {
    let mut bytes = [0; 4096];
    let mut cut = line.clone();
    let copy = async {
        loop {
            let read = from.read(&mut bytes).await.unwrap_or(0);
            drop(line.wait_for(|line| *line != Line::Silent).await);
            let Some(read) = bytes.get(..read).filter(|read| !read.is_empty()) else {
                break;
            };
            if to.write_all(read).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = copy => {}
        _ = cut.wait_for(|line| *line == Line::Cut) => {}
    }
}

async fn reachable_again(db: &Db) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !db.clone().is_reachable().await {
        assert!(Instant::now() < deadline, "it never comes back");
        tokio::task::yield_now().await;
    }
}

async fn nothing_listens() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address")
}

async fn open_at(server: SocketAddr) -> sqlx::Error {
    let url = format!("postgres://ada:hunter2@{server}/notes")
        .parse()
        .expect("a URL");
    match Db::open(&url, &migrations(&[], &[NOTES])).await {
        Err(MigrateError::Execute(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_at_once() {
    let server = nothing_listens().await;
    let begun = Instant::now();
    let error = open_at(server).await;
    assert!(is_unavailable(&error), "{error:?}");
    let url = format!("postgres://ada:hunter2@{server}").parse().unwrap();
    let error = create_database(&url, "notes").await.unwrap_err();
    assert!(is_unavailable(&error), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("hunter2"));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_server_that_takes_connections_and_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    let url = format!("postgres://ada@{server}").parse().unwrap();
    let (opened, created) = tokio::join!(
        tokio::time::timeout(Duration::from_secs(8), open_at(server)),
        tokio::time::timeout(Duration::from_secs(8), create_database(&url, "notes")),
    );
    assert!(is_unavailable(&opened.expect("an end to it")));
    assert!(is_unavailable(&created.expect("an end to it").unwrap_err()));
}

#[tokio::test]
async fn a_database_whose_connections_are_all_taken_is_not_reachable_until_one_is_free() {
    let (database, db) = notebook().await;
    assert!(db.clone().is_reachable().await);
    let mut held = Vec::new();
    for _ in 0..if database.is_postgres() { 10 } else { 4 } {
        held.push(db.read().await.unwrap());
    }
    let begun = Instant::now();
    assert!(!db.clone().is_reachable().await);
    let waited = begun.elapsed();
    assert!(
        (Duration::from_millis(900)..Duration::from_secs(2)).contains(&waited),
        "{waited:?}"
    );
    drop(held);
    assert!(db.is_reachable().await);
}

#[tokio::test]
async fn a_server_that_falls_silent_is_unavailable_and_found_again() {
    let database = TestDatabase::new().await;
    let Some(proxy) = Proxy::before(&database).await else {
        return;
    };
    let db = proxy.open().await;
    add(&db, 1, "before").await;
    let mut tx = db.begin().await.unwrap();
    Notes(&mut tx).add(2, "under way").await.unwrap();

    proxy.line.send_replace(Line::Silent);
    let begun = Instant::now();
    assert!(!db.clone().is_reachable().await);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let mut notes = Notes(&mut tx);
    let (added, begun_anew) = tokio::join!(notes.add(3, "lost"), db.begin());
    for error in [added.unwrap_err(), begun_anew.unwrap_err()] {
        assert!(is_unavailable(&error), "{error:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    drop(tx);

    proxy.line.send_replace(Line::Works);
    reachable_again(&db).await;
    assert_eq!(count(&db).await, 1);
    add(&db, 2, "after").await;
}

#[tokio::test]
async fn a_server_that_was_gone_is_found_again() {
    let database = TestDatabase::new().await;
    let Some(proxy) = Proxy::before(&database).await else {
        return;
    };
    let db = proxy.open().await;
    let mut tx = db.begin().await.unwrap();
    Notes(&mut tx).add(1, "under way").await.unwrap();

    proxy.line.send_replace(Line::Cut);
    let error = tx.commit().await.unwrap_err();
    assert!(is_unavailable(&error), "{error:?}");
    let begun = Instant::now();
    assert!(!db.clone().is_reachable().await);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());

    proxy.line.send_replace(Line::Works);
    reachable_again(&db).await;
    assert_eq!(count(&db).await, 0);
    add(&db, 1, "after").await;
}
