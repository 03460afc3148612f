//! The streams themselves: who may read them, how long they last, and that nothing is missing or out of order.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::timeout;

use super::{BUSY, PATH, Publisher, seq_of};

/// How often a replica reads rows of which it was not notified.
const POLL: Duration = Duration::from_millis(250);

#[actix_web::test]
async fn only_services_may_read_the_feed() {
    let publisher = Publisher::new().await;
    let users = &publisher.users;
    users.anonymous().get(PATH).await.assert_status(401);
    for client in [users.user("ada"), users.admin()] {
        client.get(PATH).await.assert_problem(403, "forbidden");
    }
    let elsewhere = users.issuer().as_service("order-service").wrong_audience();
    users.client_with(&elsewhere).get(PATH).await.assert_status(401);
}

#[actix_web::test]
async fn a_head_comes_each_second() {
    let publisher = Publisher::new().await;
    let (mut reader, ready) = publisher.connect_until_ready().await;
    reader.0.next().await;
    let started = Instant::now();
    let head = reader.0.next().await.unwrap();
    assert_eq!((head.name.as_str(), head.data.as_str()), ("head", r#"{"seq":0}"#));
    assert_eq!(head.id, ready);
    let elapsed = started.elapsed();
    assert!(elapsed > Duration::from_millis(300), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(1) + BUSY, "{elapsed:?}");
}

#[actix_web::test]
async fn a_stream_ends_at_shutdown() {
    let mut publisher = Publisher::new().await;
    let (mut reader, _) = publisher.connect_until_ready().await;
    publisher.users.request_stop();
    let end = async { while reader.0.next().await.is_some() {} };
    // Well before requests in flight are given up.
    timeout(Duration::from_secs(5), end).await.unwrap();
}

#[actix_web::test]
async fn a_stream_ends_when_the_readers_token_expires() {
    let publisher = Publisher::new().await;
    let users = &publisher.users;
    let token = users
        .issuer()
        .as_service("order-service")
        .with(|_, claims| claims.exp = claims.iat + 1);
    let mut stream = users.client_with(&token).events(PATH).await;
    let end = async { while stream.next().await.is_some() {} };
    timeout(Duration::from_secs(5), end).await.unwrap();
}

#[actix_web::test]
async fn two_replicas_publish_the_revocations_of_both_in_one_order() {
    const EACH: usize = 20;
    let first = Publisher::new().await;
    let second = first.replica().await;
    let (mut reader, _) = first.connect_until_ready().await;
    let (mut other, _) = second.connect_until_ready().await;

    let revoke = async |publisher: &Publisher| {
        for _ in 0..EACH {
            publisher.revoke_session().await;
        }
    };
    join_all([revoke(&first), revoke(&second)]).await;

    let (mut seen, mut seen_by_other) = (Vec::new(), Vec::new());
    for expected in 1..=2 * EACH {
        for (reader, seen) in [(&mut reader, &mut seen), (&mut other, &mut seen_by_other)] {
            let event = loop {
                let event = reader.next().await.unwrap();
                // The other replica may have started a generation.
                if event.name != "ready" {
                    break event;
                }
            };
            assert_eq!(usize::try_from(seq_of(&event.id)).unwrap(), expected);
            seen.push(event.data);
        }
    }
    assert_eq!(seen, seen_by_other);

    // Of these rows, PostgreSQL notifies no replica. Each is added just after both replicas have read.
    let mut times = Vec::new();
    for _ in 0..3 {
        first.add_row("key", Some("k")).await;
        let added = Instant::now();
        for reader in [&mut reader, &mut other] {
            reader.assert_next("revocation").await;
        }
        times.push(added.elapsed());
    }
    times.sort_unstable();
    assert!(times[2] < POLL + BUSY, "{times:?}");
    assert!(times[1] < POLL * 4, "more often than once a second: {times:?}");
}
