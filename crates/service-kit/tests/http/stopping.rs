//! Graceful shutdown.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::test_service::Things;

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
    let begun = Instant::now();
    while TcpStream::connect(address).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(5), "it still listens");
        tokio::task::yield_now().await;
    }
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
