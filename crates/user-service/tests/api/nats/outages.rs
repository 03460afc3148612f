//! Outages of the broker.

use std::time::Duration;

use auth::testing::NatsServer;
use db::on;
use sqlx::AssertSqlSafe;
use tokio::time::Instant;

use super::{Platform, eventually, eventually_revoked, is_over_nats};
use crate::database::database;

#[actix_web::test]
async fn rows_of_an_outage_are_relayed_after_it_each_once_and_in_order() {
    let mut platform = Platform::start().await;
    let verifier = platform.verifier().await;
    platform.log_out().await;
    eventually("the first row is relayed", async || {
        platform.stored().await == [1]
    })
    .await;

    platform.server.stop();
    for _ in 0..3 {
        let token = platform.log_out().await;
        eventually_revoked(&verifier, &token).await;
        assert!(!is_over_nats(&verifier));
    }
    platform.server.start_again();
    eventually("all rows are relayed", async || {
        platform.stored().await == [1, 2, 3, 4]
    })
    .await;
    eventually("NATS is followed", async || is_over_nats(&verifier)).await;
    let token = platform.log_out().await;
    eventually_revoked(&verifier, &token).await;
    assert_eq!(platform.stored().await, [1, 2, 3, 4, 5]);
}

#[actix_web::test]
async fn a_broker_that_lost_its_storage_gets_a_new_stream() {
    let mut platform = Platform::start().await;
    let verifier = platform.verifier().await;
    platform.log_out().await;
    platform.server.stop();
    platform.server.delete_storage();
    let missed = platform.log_out().await;
    platform.server.start_again();
    eventually_revoked(&verifier, &missed).await;
    eventually("NATS is followed", async || is_over_nats(&verifier)).await;
    let token = platform.log_out().await;
    eventually_revoked(&verifier, &token).await;
    assert_eq!(platform.stored().await, [3], "readers have the others");
}

#[actix_web::test]
async fn rows_that_expired_during_an_outage_are_not_relayed() {
    const COUNT: &str = "update revocation_counter set seq = 2";
    const ADD_EXPIRED: &str =
        "insert into revocations (seq, kind, kid, expires_at) values (2, 'key', 'k', $1)";
    let mut platform = Platform::start().await;
    platform.log_out().await;
    eventually("the first row is relayed", async || {
        platform.stored().await == [1]
    })
    .await;
    platform.server.stop();
    let mut tx = database(&platform.users).await.begin().await.unwrap();
    let past = platform.users.issuer().clock().now() - chrono::TimeDelta::days(1);
    let added = on!(tx, conn => {
        sqlx::query(COUNT).execute(&mut *conn).await?;
        sqlx::query(ADD_EXPIRED).bind(past).execute(conn).await.map(drop)
    });
    added.unwrap();
    tx.commit().await.unwrap();
    platform.log_out().await;
    platform.server.start_again();
    eventually("the last row is relayed", async || {
        platform.stored().await.last() == Some(&3)
    })
    .await;
    assert_eq!(platform.stored().await, [1, 3]);
}

#[actix_web::test]
async fn a_suspended_broker_delays_no_logout_and_no_readiness() {
    let platform = Platform::start().await;
    let verifier = platform.verifier().await;
    platform.server.suspend();
    let suspended = Instant::now();
    let mut tokens = Vec::new();
    while suspended.elapsed() < Duration::from_secs(1) {
        let begun = Instant::now();
        tokens.push(platform.log_out().await);
        let response = platform.users.anonymous().get("/health/ready").await;
        response.assert_status(200);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
    for token in &tokens {
        eventually_revoked(&verifier, token).await;
    }
    assert!(
        suspended.elapsed() < Duration::from_secs(5),
        "{:?}",
        suspended.elapsed()
    );

    platform.server.resume();
    let rows: Vec<_> = (1..).take(tokens.len()).collect();
    eventually("all rows are relayed", async || platform.stored().await == rows).await;
    eventually("NATS is followed", async || is_over_nats(&verifier)).await;
}

#[actix_web::test]
async fn a_service_starts_without_its_broker_and_relays_when_it_is_there() {
    let mut server = NatsServer::start();
    server.stop();
    let url = server.url();
    let mut platform = Platform::start_with(server, url, &[]).await;
    let verifier = platform.verifier_with("");
    let ada = platform.log_out().await;
    eventually_revoked(&verifier, &ada).await;

    platform.server.start_again();
    eventually("NATS is followed", async || is_over_nats(&verifier)).await;
    let bob = platform.log_out().await;
    eventually_revoked(&verifier, &bob).await;
    assert_eq!(platform.stored().await, [2]);
}

#[actix_web::test]
async fn a_restored_database_begins_a_new_history_in_the_stream() {
    let platform = Platform::start().await;
    let verifier = platform.verifier().await;
    for _ in 0..3 {
        let token = platform.log_out().await;
        eventually_revoked(&verifier, &token).await;
    }
    let mut tx = database(&platform.users).await.begin().await.unwrap();
    for sql in [
        "delete from revocations where seq > 1",
        "update revocation_counter set seq = 1",
    ] {
        let sql = AssertSqlSafe(sql.to_owned());
        on!(tx, conn => sqlx::query(sql).execute(conn).await.map(drop)).unwrap();
    }
    tx.commit().await.unwrap();
    eventually("the snapshot replaces the set", async || {
        verifier.revocations().len() == 1
    })
    .await;
    eventually("NATS is followed", async || is_over_nats(&verifier)).await;
    let token = platform.log_out().await;
    eventually_revoked(&verifier, &token).await;
    assert_eq!(platform.stored().await, [1, 2, 3, 2]);
}
