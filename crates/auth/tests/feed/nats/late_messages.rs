//! A broker whose messages arrive late, in order and without a gap.

use std::time::Duration;

use auth::testing::NatsServer;
use tokio::time::sleep;

use super::NatsFixture;
use super::slow_proxy::SlowProxy;

#[actix_web::test]
async fn a_broker_whose_messages_come_later_and_later_is_left() {
    let server = NatsServer::start();
    let proxy = SlowProxy::start(server.url().trim_start_matches("nats://").parse().unwrap()).await;
    let url = format!("nats://{}", proxy.address).parse().unwrap();
    let fixture = NatsFixture::follow(server, "", url).await;
    fixture.eventually_over_nats().await;

    // So slowly that the time between two messages is never suspicious.
    let mut delay = Duration::ZERO;
    while fixture.is_over_nats() {
        delay += Duration::from_millis(20);
        assert!(delay < Duration::from_secs(4), "late messages were accepted");
        proxy.set_delay(delay);
        sleep(Duration::from_millis(40)).await;
    }
    assert!(delay >= Duration::from_secs(2), "{delay:?}");
    assert!(!fixture.verifier.statistics().feed.unwrap().is_stale);

    // Revocations that arrive over HTTP take effect, also while the broker is tried again.
    fixture.eventually_over_http().await;
    let connections = || fixture.verifier.statistics().feed.unwrap().connections;
    let before = connections();
    while connections() < before + 2 {
        let ada = fixture.issuer.as_user();
        fixture.publisher.publish(fixture.revocation_of(&ada));
        fixture.eventually_revoked(&ada).await;
        assert!(!fixture.is_over_nats());
    }

    proxy.set_delay(Duration::ZERO);
    fixture.eventually_over_nats().await;
    let bob = fixture.issuer.as_user();
    fixture.revoke_over_nats(&bob).await;
    fixture.eventually_revoked(&bob).await;
}
