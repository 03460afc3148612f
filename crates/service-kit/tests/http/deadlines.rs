//! The deadline of handlers.

use std::time::{Duration, Instant};

use crate::test_service::Things;

#[actix_web::test]
async fn a_hanging_handler_is_answered_with_503_and_its_connection_stays_usable() {
    let things = Things::spawn_with_short_deadline().await;
    let mut wire = things.connect().await;
    let begun = Instant::now();
    for _ in 0..3 {
        wire.send("GET /hangs HTTP/1.1\r\nhost: a\r\nx-request-id: mine\r\n\r\n")
            .await;
        let heard = wire.hear().await;
        heard.assert_problem(503, "timeout");
        assert_eq!(heard.header("x-request-id"), Some("mine"));
        assert_eq!(heard.header("retry-after"), Some("1"));
        assert_eq!(heard.header("x-content-type-options"), Some("nosniff"));
    }
    let waited = begun.elapsed();
    assert!(
        (Duration::from_millis(900)..Duration::from_secs(3)).contains(&waited),
        "{waited:?}"
    );
    wire.assert_works().await;
}

#[actix_web::test]
async fn the_deadline_includes_the_arrival_of_the_body() {
    let things = Things::spawn_with_short_deadline().await;
    let mut wire = things.connect().await;
    let head =
        "POST /things HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";
    wire.send(head).await;
    let begun = Instant::now();
    let heard = loop {
        if let Ok(heard) = wire.hear_or_end_within(Duration::from_millis(50)).await {
            break heard.expect("an answer");
        }
        wire.try_send(" ").await;
    };
    heard.assert_problem(503, "timeout");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    wire.assert_closed_within(Duration::from_secs(10)).await;
}

#[actix_web::test]
async fn a_hanging_or_panicking_handler_is_counted_with_the_status_of_its_answer() {
    let things = Things::spawn_with_short_deadline().await;
    things.anonymous().get("/hangs").await.assert_status(503);
    things.anonymous().get("/panics").await.assert_status(500);
    let metrics = things.anonymous().get("/metrics").await.body;
    for series in [
        r#"route="/hangs",status="503""#,
        r#"route="/panics",status="500""#,
    ] {
        assert!(metrics.contains(series), "{series} is not in {metrics}");
    }
}
