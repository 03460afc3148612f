//! The permissions that docs/operations.md gives user-service and the other services, and credentials that are wrong.

use auth::nats::{SUBJECT, message_of};
use auth::testing::NatsServer;
use auth::{FeedEvent, FeedPosition, Revocation};
use uuid::Uuid;

use super::{Platform, eventually, eventually_revoked, is_over_nats};

const OPERATIONS: &str = include_str!("../../../../../docs/operations.md");

/// The permissions in docs/operations.md, as the configuration of a server.
fn permissions() -> String {
    let begin = OPERATIONS.find("authorization {").unwrap();
    let end = begin + OPERATIONS[begin..].find("\n```").unwrap();
    OPERATIONS[begin..end]
        .replace("$USER_SERVICE_PASSWORD", "users")
        .replace("$SERVICES_PASSWORD", "services")
}

fn url_for(server: &NatsServer, credentials: &str) -> String {
    server.url().replace("//", &format!("//{credentials}@"))
}

async fn platform(credentials: &str) -> Platform {
    let server = NatsServer::start_with(&permissions());
    let url = url_for(&server, credentials);
    Platform::start_with(server, url, &[]).await
}

#[actix_web::test]
async fn the_documented_permissions_suffice() {
    let platform = platform("user-service:users").await;
    let verifier = platform.verifier_with("services:services");
    eventually("NATS is followed", async || is_over_nats(&verifier)).await;
    let token = platform.log_out().await;
    eventually_revoked(&verifier, &token).await;
    assert!(is_over_nats(&verifier));
}

#[actix_web::test]
async fn a_service_that_reads_the_feed_can_not_publish() {
    let platform = platform("user-service:users").await;
    let verifier = platform.verifier_with("services:services");
    eventually("NATS is followed", async || is_over_nats(&verifier)).await;
    let event = FeedEvent::Revocation(
        FeedPosition {
            generation: Uuid::new_v4(),
            seq: 1,
        },
        Revocation::Session {
            id: Uuid::new_v4(),
            expires_at: i64::MAX,
        },
    );
    let services = platform.server.url_for("services:services");
    let jetstream = services.connect("test").await.unwrap();
    let sent = jetstream.send_publish(SUBJECT, message_of(&event)).await;
    assert!(sent.unwrap().await.is_err());
    assert!(verifier.revocations().is_empty() && is_over_nats(&verifier));
}

#[actix_web::test]
async fn wrong_credentials_leave_the_feed_to_http() {
    let platform = platform("user-service:wrong").await;
    let verifier = platform.verifier_with("services:wrong");
    let token = platform.log_out().await;
    eventually_revoked(&verifier, &token).await;
    assert!(!is_over_nats(&verifier));
}
