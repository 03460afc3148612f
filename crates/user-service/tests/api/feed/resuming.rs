//! A reader begins with what still matters, and resumes where it was.

use super::{Publisher, seq_of};
use crate::seconds;

#[actix_web::test]
async fn a_reader_begins_with_all_unexpired_revocations_and_goes_on_with_new_ones() {
    let publisher = Publisher::new().await;
    publisher.revoke_session().await;
    publisher.users.issuer().clock().advance(seconds(3_600));
    let stored = publisher.revoke_session().await;

    let mut reader = publisher.connect().await;
    assert_eq!(reader.0.header("content-type"), "text/event-stream");
    assert_eq!(reader.0.header("cache-control"), "no-store");
    assert_eq!(seq_of(&reader.assert_session(&stored).await), 2);
    let ready = reader.next().await.unwrap();
    assert_eq!(
        (ready.name.as_str(), ready.data.as_str()),
        ("ready", r#"{"seq":2}"#)
    );
    assert_eq!(seq_of(&ready.id), 2);

    let new = publisher.revoke_session().await;
    assert_eq!(seq_of(&reader.assert_session(&new).await), 3);
}

#[actix_web::test]
async fn a_reader_resumes_after_its_last_event() {
    let publisher = Publisher::new().await;
    let (mut reader, _) = publisher.connect_until_ready().await;
    let first = publisher.revoke_session().await;
    let id = reader.assert_session(&first).await;
    drop(reader);
    let missed = publisher.revoke_session().await;

    let mut reader = publisher.resume(&id).await;
    reader.assert_session(&missed).await;
    assert_eq!(seq_of(&reader.assert_next("ready").await), 2);
    let new = publisher.revoke_session().await;
    reader.assert_session(&new).await;
}

#[actix_web::test]
async fn a_reader_resumes_after_a_restart_and_at_another_replica() {
    let publisher = Publisher::new().await;
    publisher.revoke_session().await;
    let (_, id) = publisher.connect_until_ready().await;
    let missed = publisher.revoke_session().await;

    let publisher = publisher.restart(async |_| {}).await;
    let mut reader = publisher.resume(&id).await;
    reader.assert_session(&missed).await;
    let id = reader.assert_next("ready").await;

    let replica = publisher.replica().await;
    let missed = publisher.revoke_session().await;
    let mut reader = replica.resume(&id).await;
    reader.assert_session(&missed).await;
}

#[actix_web::test]
async fn a_reader_stays_connected_when_another_replica_starts() {
    let publisher = Publisher::new().await;
    let (mut reader, first) = publisher.connect_until_ready().await;

    let replica = publisher.replica().await;
    let id = reader.assert_next("ready").await;
    assert_ne!(id, first, "a new generation");
    assert_eq!(seq_of(&id), 0);
    let revoked = replica.revoke_session().await;
    let next = reader.assert_session(&revoked).await;
    assert_eq!(next.split_once(':').unwrap().0, id.split_once(':').unwrap().0);
}

#[actix_web::test]
async fn a_reader_from_another_history_must_begin_again() {
    let publisher = Publisher::new().await;
    publisher.revoke_session().await;
    let (_, id) = publisher.connect_until_ready().await;
    let generation = id.split_once(':').unwrap().0;

    for unknown in [
        "0190d3f0-7c1a-4c8e-9a3f-5b2d1e0f9a8b:1".to_owned(),
        format!("{generation}:2"),
    ] {
        publisher.resume(&unknown).await.assert_reset().await;
    }
    publisher
        .resume(&format!("{generation}:1"))
        .await
        .assert_next("ready")
        .await;
}

#[actix_web::test]
async fn a_malformed_position_is_refused() {
    let publisher = Publisher::new().await;
    let client = publisher.users.service("order-service");
    for id in ["", "1", "x:1", "0190d3f0-7c1a-4c8e-9a3f-5b2d1e0f9a8b:-1"] {
        client
            .with("last-event-id", id)
            .get(super::PATH)
            .await
            .assert_problem(400, "invalid_header");
    }
    client
        .get("/internal/revocations?instance=7")
        .await
        .assert_problem(400, "invalid_query");
}
