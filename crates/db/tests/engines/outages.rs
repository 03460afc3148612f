//! Outages of the database server, and recovery from them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use db::{DatabaseUrl, Db, create_database, is_unavailable};
use sqlx::migrate::MigrateError;
use test_kit::TestDatabase;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::{NOTES, Notes, add, count, migrations, notebook};

/// The state of the network between a test and its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    Works,
    /// Connections stay open, but no data arrives.
    Silent,
    /// Connections are closed, and new ones are too.
    Cut,
}

/// A proxy in front of the server, so that the server can fail for this test alone.
struct Proxy {
    url: DatabaseUrl,
    network: watch::Sender<Network>,
}

impl Proxy {
    /// A proxy in front of this database's server. SQLite has no server.
    async fn before(database: &TestDatabase) -> Option<Self> {
        let DatabaseUrl::Postgres(options) = database.url() else {
            return None;
        };
        let server = format!("{}:{}", options.get_host(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (network, watched) = watch::channel(Network::Works);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *watched.borrow() == Network::Cut {
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
            network,
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
    mut network: watch::Receiver<Network>,
) {
    let mut bytes = [0; 4096];
    let mut cut = network.clone();
    let copy = async {
        loop {
            let read = from.read(&mut bytes).await.unwrap_or(0);
            drop(network.wait_for(|network| *network != Network::Silent).await);
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
        _ = cut.wait_for(|network| *network == Network::Cut) => {}
    }
}

async fn wait_until_reachable(db: &Db) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !db.clone().is_reachable().await {
        assert!(Instant::now() < deadline, "the database is still unreachable");
        tokio::task::yield_now().await;
    }
}

/// An address on which no server listens.
async fn unused_address() -> SocketAddr {
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
async fn a_missing_server_is_an_immediate_error() {
    let server = unused_address().await;
    let started = Instant::now();
    let error = open_at(server).await;
    assert!(is_unavailable(&error), "{error:?}");
    let url = format!("postgres://ada:hunter2@{server}").parse().unwrap();
    let error = create_database(&url, "notes").await.unwrap_err();
    assert!(is_unavailable(&error), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("hunter2"));
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_server_that_accepts_connections_but_does_not_answer_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    let url = format!("postgres://ada@{server}").parse().unwrap();
    let (opened, created) = tokio::join!(
        tokio::time::timeout(Duration::from_secs(8), open_at(server)),
        tokio::time::timeout(Duration::from_secs(8), create_database(&url, "notes")),
    );
    assert!(is_unavailable(&opened.expect("no timeout")));
    assert!(is_unavailable(&created.expect("no timeout").unwrap_err()));
}

#[tokio::test]
async fn a_database_is_unreachable_while_all_connections_are_in_use() {
    let (database, db) = notebook().await;
    assert!(db.clone().is_reachable().await);
    let mut held = Vec::new();
    for _ in 0..if database.is_postgres() { 10 } else { 4 } {
        held.push(db.read().await.unwrap());
    }
    let started = Instant::now();
    assert!(!db.clone().is_reachable().await);
    let waited = started.elapsed();
    assert!(
        (Duration::from_millis(900)..Duration::from_secs(2)).contains(&waited),
        "{waited:?}"
    );
    drop(held);
    assert!(db.is_reachable().await);
}

#[tokio::test]
async fn a_silent_server_is_unavailable_until_it_answers_again() {
    let database = TestDatabase::new().await;
    let Some(proxy) = Proxy::before(&database).await else {
        return;
    };
    let db = proxy.open().await;
    add(&db, 1, "before").await;
    let mut tx = db.begin().await.unwrap();
    Notes(&mut tx).add(2, "in flight").await.unwrap();

    proxy.network.send_replace(Network::Silent);
    let started = Instant::now();
    assert!(!db.clone().is_reachable().await);
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    let mut notes = Notes(&mut tx);
    let (added, begun) = tokio::join!(notes.add(3, "lost"), db.begin());
    for error in [added.unwrap_err(), begun.unwrap_err()] {
        assert!(is_unavailable(&error), "{error:?}");
    }
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
    drop(tx);

    proxy.network.send_replace(Network::Works);
    wait_until_reachable(&db).await;
    assert_eq!(count(&db).await, 1);
    add(&db, 2, "after").await;
}

#[tokio::test]
async fn a_server_that_closed_its_connections_is_used_again() {
    let database = TestDatabase::new().await;
    let Some(proxy) = Proxy::before(&database).await else {
        return;
    };
    let db = proxy.open().await;
    let mut tx = db.begin().await.unwrap();
    Notes(&mut tx).add(1, "in flight").await.unwrap();

    proxy.network.send_replace(Network::Cut);
    let error = tx.commit().await.unwrap_err();
    assert!(is_unavailable(&error), "{error:?}");
    let started = Instant::now();
    assert!(!db.clone().is_reachable().await);
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );

    proxy.network.send_replace(Network::Works);
    wait_until_reachable(&db).await;
    assert_eq!(count(&db).await, 0);
    add(&db, 1, "after").await;
}
