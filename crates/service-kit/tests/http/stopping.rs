//! A service that is told to stop ends what is under way, and is gone.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::things::Things;

#[actix_web::test]
async fn a_request_under_way_is_answered_and_then_the_port_is_closed() {
    let things = Things::spawn().await;
    let (gate, address) = (things.gate.clone(), things.address);
    let client = things.anonymous().clone();
    let under_way = actix_web::rt::spawn(async move { client.get("/waits").await });
    gate.entered.acquire().await.unwrap().forget();
    let mut idle = Vec::new();
    for _ in 0..16 {
        let mut wire = things.connect().await;
        wire.assert_works().await;
        idle.push(wire);
    }

    let stopping = actix_web::rt::spawn(things.stop());
    // Nobody new is let in any more.
    let begun = Instant::now();
    while TcpStream::connect(address).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(5), "it still listens");
        tokio::task::yield_now().await;
    }
    // Whoever asks for nothing is sent away, by every worker.
    for wire in &mut idle {
        wire.assert_closed_within(Duration::from_secs(5)).await;
    }
    assert!(!under_way.is_finished());
    gate.leave.add_permits(1);
    let answer = timeout(Duration::from_secs(5), under_way)
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
async fn a_connection_that_is_kept_but_idle_does_not_delay_the_end() {
    let things = Things::spawn().await;
    let mut wire = things.connect().await;
    wire.assert_works().await;
    let begun = Instant::now();
    things.stop().await;
    wire.assert_closed_within(Duration::from_secs(5)).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
