//! A verifier that follows the revocation feed: what it learns, when, and what it does while it can't know.
#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

mod clocks;
mod faults;
mod keys;
mod nats;
mod reading;
mod stale;

use std::time::Duration;

use auth::testing::{Issuer, Publisher, TestToken};
use auth::{AuthError, Keys, Principal, Revocation, StalePolicy, Verifier};
use chrono::TimeDelta;
use tokio::time::{Instant, sleep};

const SERVICE: &str = "product-service";
/// How much later than docs/revocation.md says something may happen on a busy machine.
const MARGIN: Duration = Duration::from_secs(2);
/// From the event by which a reader notices that it missed one until it has that one.
const FETCHED: Duration = Duration::from_millis(300);

/// A verifier and the publisher that it follows.
struct Fixture {
    issuer: Issuer,
    publisher: Publisher,
    verifier: Verifier,
}

impl Fixture {
    /// A verifier that asks the publisher about tokens while the feed is stale, and that has its first snapshot.
    async fn start() -> Self {
        Self::start_with(StalePolicy::withhold_all_but(
            ["user".to_owned()],
            ["orders:write".to_owned()],
        ))
        .await
    }

    async fn start_with(policy: StalePolicy) -> Self {
        let fixture = Self::before_the_first_snapshot(policy, |_| {});
        eventually("the first snapshot", || fixture.verifier.has_revocations()).await;
        fixture
    }

    fn before_the_first_snapshot(policy: StalePolicy, prepare: impl FnOnce(&Publisher)) -> Self {
        let issuer = Issuer::new(SERVICE);
        let publisher = Publisher::start(&issuer);
        prepare(&publisher);
        let verifier = issuer
            .verifier_builder(Keys::new(issuer.key_set()))
            .feed(publisher.feed(SERVICE))
            .when_stale(policy.confirm_with(publisher.introspection(SERVICE)))
            .build();
        Self {
            issuer,
            publisher,
            verifier,
        }
    }

    async fn verify(&self, token: &TestToken) -> Result<Principal, AuthError> {
        self.verifier.verify(token.token()).await
    }

    /// Whether the verifier admits the token as an admin's.
    async fn is_admin(&self, token: &TestToken) -> bool {
        let principal = self.verify(token).await.unwrap();
        principal.user().unwrap().is_admin()
    }

    /// The revocation of this token's session.
    fn revocation_of(&self, token: &TestToken) -> Revocation {
        Revocation::Session {
            id: token.claims().sid.unwrap(),
            expires_at: self.issuer.clock().unix() + 960,
        }
    }

    /// Waits until the verifier refuses the token.
    async fn eventually_revoked(&self, token: &TestToken) {
        eventually("the token is revoked", self.is_revoked(token)).await;
    }

    /// Requires that the verifier refuses the token at the latest after this time, or a little later on a busy machine.
    async fn revoked_within(&self, limit: Duration, token: &TestToken) {
        within(limit + MARGIN, "the token is revoked", self.is_revoked(token)).await;
    }

    fn is_revoked(&self, token: &TestToken) -> impl Fn() -> bool {
        let token = token.token();
        move || self.verifier.verify_with_current_keys(&token) == Err(AuthError::Revoked)
    }

    /// Makes the feed stale: it is silent, and six seconds pass.
    fn make_stale(&self) {
        self.publisher.fall_silent();
        self.issuer.clock().advance(TimeDelta::seconds(6));
    }
}

/// Waits up to 20 seconds until a condition holds.
async fn eventually(condition: &str, holds: impl Fn() -> bool) {
    within(Duration::from_secs(20), condition, holds).await;
}

/// Waits until a condition holds.
async fn within(limit: Duration, condition: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < deadline, "timed out: {condition}");
        sleep(Duration::from_millis(5)).await;
    }
}
