//! A call ends in time, however the neighbour behaves.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use auth::{CallError, ServiceClient, ServiceCredentials};
use futures_util::future::join_all;
use secrecy::SecretString;
use tokio::net::{TcpSocket, TcpStream};

use crate::fake_server::{Action, FakeServer, hang, send_bytes};
use crate::fixture::{Fixture, SECRET, issue_token, issue_tokens, ok, script};
use crate::time::soon;

/// Responses that never end.
fn endless_responses() -> [Action; 5] {
    let drip = Duration::from_millis(10);
    [
        hang(),
        send_bytes("HTTP/1.1 200 X\r\n").then_hang(),
        send_bytes("HTTP/1.1 200 X\r\ncontent-length: 100000\r\n\r\n").then_repeat(b"a", drip),
        send_bytes("HTTP/1.1 200 X\r\na: ").then_repeat(b"a", drip),
        send_bytes("").then_repeat(b"HTTP/1.1 103 X\r\n\r\n", drip),
    ]
}

#[tokio::test]
async fn each_attempt_times_out() {
    let fixtures =
        endless_responses().map(|action| Fixture::with_neighbour(script([action])).timeouts(1_000, 10_000));
    join_all(fixtures.iter().map(async |fixture| {
        assert!(matches!(soon(fixture.post()).await, Err(CallError::Timeout)));
        assert_eq!(fixture.neighbour.count(), 1);
        let started = Instant::now();
        assert!(matches!(soon(fixture.get()).await, Err(CallError::Timeout)));
        assert_eq!(fixture.neighbour.count(), 4);
        assert!(started.elapsed() >= Duration::from_secs(3));
    }))
    .await;
}

#[tokio::test]
async fn a_call_times_out_before_its_attempt() {
    let fixtures =
        endless_responses().map(|action| Fixture::with_neighbour(script([action])).timeouts(60_000, 1_000));
    join_all(fixtures.iter().map(async |fixture| {
        assert!(matches!(soon(fixture.get()).await, Err(CallError::Timeout)));
        assert_eq!(fixture.neighbour.count(), 1);
    }))
    .await;
}

#[tokio::test]
async fn the_last_attempt_gets_the_remaining_time() {
    let fixture = Fixture::with_neighbour(|_| hang()).timeouts(1_000, 2_000);
    let started = Instant::now();
    assert!(matches!(soon(fixture.get()).await, Err(CallError::Timeout)));
    assert_eq!(fixture.neighbour.count(), 2);
    assert!(
        started.elapsed() >= Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn waiting_for_a_token_counts_towards_the_timeout() {
    let fixture = Fixture::new(FakeServer::start(|_| hang()), FakeServer::start(ok)).timeouts(60_000, 200);
    assert!(matches!(soon(fixture.get()).await, Err(CallError::Timeout)));
    assert_eq!(fixture.neighbour.count(), 0);
}

#[tokio::test]
async fn a_call_without_enough_time_left_is_not_sent() {
    let tokens = FakeServer::start(|request| {
        std::thread::sleep(Duration::from_millis(950));
        issue_token(request, 900)
    });
    let fixture = Fixture::new(tokens, FakeServer::start(ok)).timeouts(1_000, 1_000);
    assert!(matches!(soon(fixture.get()).await, Err(CallError::Timeout)));
    assert_eq!(fixture.neighbour.count(), 0);
    fixture.until_successful().await;
}

#[tokio::test]
async fn the_longest_timeouts_do_not_overflow() {
    let fixture = Fixture::with_neighbour(ok).timeouts(u64::MAX, u64::MAX);
    assert_eq!(fixture.status().await, 200);
}

/// An address whose backlog is full: packets that open a connection are dropped, as by a firewall.
async fn unreachable() -> (SocketAddr, impl Sized) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut backlog = Vec::new();
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        backlog.push(connected.unwrap());
    }
    (address, (listener, backlog))
}

#[tokio::test]
async fn a_post_is_retried_if_no_connection_was_opened() {
    let (address, _held) = unreachable().await;
    let tokens = FakeServer::start(issue_tokens(900));
    let credentials = ServiceCredentials::new("a", SecretString::from(SECRET), tokens.url("/"));
    let client = ServiceClient::builder(&credentials, "b", &format!("http://{address}"))
        .build()
        .unwrap();
    let started = Instant::now();
    // Connecting is limited to one second per attempt, so that three attempts fit in.
    let outcome = client.post("/").send().await;
    assert!(matches!(outcome, Err(CallError::NoResponse(_))), "{outcome:?}");
    assert!(
        (3.0..5.0).contains(&started.elapsed().as_secs_f64()),
        "{:?}",
        started.elapsed()
    );
}
