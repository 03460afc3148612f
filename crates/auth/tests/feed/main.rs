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
/// The time that a busy machine may add to those in `docs/revocation.md`.
const BUSY: Duration = Duration::from_secs(2);
/// How soon a reader has an event that was lost: a head comes within a second, and the reader connects again after 0.2 seconds.
const FETCHED: Duration = Duration::from_millis(1_300);

/// The deadline for events without a documented time.
const DEADLINE: Duration = Duration::from_secs(20);

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
        self.revoked_within(DEADLINE, token).await;
    }

    /// Waits until the verifier refuses the token, at most `limit` and what a busy machine adds.
    async fn revoked_within(&self, limit: Duration, token: &TestToken) {
        let token = token.token();
        let is_revoked = || self.verifier.verify_with_current_keys(&token) == Err(AuthError::Revoked);
        within(limit + BUSY, "the token is revoked", is_revoked).await;
    }

    /// Makes the feed stale: it is silent, and more than five seconds pass.
    fn make_stale(&self) {
        let is_stale = || self.verifier.statistics().feed.unwrap().is_stale;
        self.publisher.fall_silent();
        self.issuer.clock().advance(TimeDelta::seconds(5));
        assert!(!is_stale());
        self.issuer.clock().advance(TimeDelta::seconds(1));
        assert!(is_stale());
    }
}

/// Waits until a condition holds, at most [`DEADLINE`].
async fn eventually(condition: &str, holds: impl Fn() -> bool) {
    within(DEADLINE, condition, holds).await;
}

/// Waits until a condition holds, at most `limit`.
async fn within(limit: Duration, condition: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {condition}");
        sleep(Duration::from_millis(5)).await;
    }
}
