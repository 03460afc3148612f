//! Graceful shutdown.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::test_service::Things;
use crate::wire::Wire;

const LIVE: &str = "GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n";

/// Waits until the service no longer listens.
async fn wait_until_refused(address: SocketAddr) {
    let begun = Instant::now();
    // Shortly before, it ignores new connections.
    let connects = || timeout(Duration::from_millis(20), TcpStream::connect(address));
    while !matches!(connects().await, Ok(Err(_))) {
        assert!(begun.elapsed() < Duration::from_secs(5), "it still listens");
        tokio::task::yield_now().await;
    }
}

/// Requires a successful response after which the service closes the connection.
async fn assert_is_the_last_response(wire: &mut Wire) {
    let heard = wire.hear().await;
    assert_eq!(
        (heard.status, heard.header("connection")),
        (200, Some("close")),
        "{heard:?}"
    );
    wire.assert_closed_within(Duration::from_secs(5)).await;
}

#[actix_web::test]
async fn a_request_in_progress_is_answered_before_the_service_stops() {
    let things = Things::spawn().await;
    let (gate, address) = (things.gate.clone(), things.address);
    let client = things.anonymous().clone();
    let in_progress = actix_web::rt::spawn(async move { client.get("/waits").await });
    gate.entered.acquire().await.unwrap().forget();
    let mut idle = Vec::new();
    for _ in 0..16 {
        let mut wire = things.connect().await;
        wire.assert_works().await;
        idle.push(wire);
    }

    let stopping = actix_web::rt::spawn(things.stop());
    // New connections are refused.
    wait_until_refused(address).await;
    // Every worker closes its idle connections.
    for wire in &mut idle {
        wire.assert_closed_within(Duration::from_secs(5)).await;
    }
    assert!(!in_progress.is_finished());
    gate.leave.add_permits(1);
    let answer = timeout(Duration::from_secs(5), in_progress)
        .await
        .expect("an answer")
        .unwrap();
    answer.assert(200, json!({"waited": true}));
    timeout(Duration::from_secs(5), stopping)
        .await
        .expect("an end")
        .unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[actix_web::test]
async fn an_idle_connection_does_not_delay_the_shutdown() {
    let things = Things::spawn().await;
    let mut wire = things.connect().await;
    wire.assert_works().await;
    let begun = Instant::now();
    things.stop().await;
    wire.assert_closed_within(Duration::from_secs(5)).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[actix_web::test]
async fn a_draining_service_is_not_ready_and_closes_each_connection_after_its_next_response() {
    let mut things = Things::spawn_with_shutdown_delay(Duration::from_secs(3_600)).await;
    let (mut kept, mut refused) = (things.connect().await, things.connect().await);
    kept.assert_works().await;
    refused.assert_works().await;
    things.request_stop();
    let begun = Instant::now();
    while things.anonymous().get("/health/ready").await.status == 200 {
        assert!(begun.elapsed() < Duration::from_secs(5), "it is still ready");
    }
    let answer = things.anonymous().get("/health/ready").await;
    answer.assert_problem(503, "not_ready");
    assert!(answer.body.contains("shutting down"), "{}", answer.body);

    kept.send(LIVE).await;
    assert_is_the_last_response(&mut kept).await;
    refused.send("GET /no HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let heard = refused.hear().await;
    heard.assert_problem(404, "not_found");
    assert_eq!(heard.header("connection"), Some("close"));
    refused.assert_closed_within(Duration::from_secs(5)).await;
    let mut new = things.connect().await;
    new.send(LIVE).await;
    assert_is_the_last_response(&mut new).await;
}

#[actix_web::test]
async fn requests_that_wait_in_the_queue_are_answered() {
    let mut things = Things::spawn().await;
    things.anonymous().get("/health/live").await.assert_status(200);
    // This thread also accepts connections, so all of them wait until it blocks no longer.
    let mut clients: Vec<_> = (0..50)
        .map(|_| std::net::TcpStream::connect(things.address).expect("a connection"))
        .collect();
    for client in &mut clients {
        client.write_all(LIVE.as_bytes()).expect("a connection");
    }
    things.request_stop();
    wait_until_refused(things.address).await;
    for mut client in clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
}

#[actix_web::test]
async fn a_request_that_is_still_arriving_when_the_listener_closes_is_answered() {
    let mut things = Things::spawn().await;
    let (mut new, mut partial, mut kept) = (
        things.connect().await,
        things.connect().await,
        things.connect().await,
    );
    let (first, rest) = LIVE.split_at(20);
    partial.send(first).await;
    kept.assert_works().await;
    kept.send(first).await;
    // A later connection is served, so the service has received the earlier ones.
    things.connect().await.assert_works().await;
    things.request_stop();
    wait_until_refused(things.address).await;
    new.send(LIVE).await;
    assert_is_the_last_response(&mut new).await;
    for mut wire in [partial, kept] {
        wire.send(rest).await;
        assert_is_the_last_response(&mut wire).await;
    }
}

#[actix_web::test]
async fn a_connection_without_a_request_does_not_delay_the_shutdown_for_long() {
    let mut things = Things::spawn().await;
    let mut new = things.connect().await;
    things.connect().await.assert_works().await;
    things.request_stop();
    new.assert_closed_within(Duration::from_secs(5)).await;
}
