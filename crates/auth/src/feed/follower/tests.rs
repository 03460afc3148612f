//! Tests of the follower: which events take effect, and which require another connection.

use uuid::Uuid;

use super::*;
use crate::freshness::Knowledge;
use crate::principal::User;
use crate::testing::Issuer;

const GENERATION: Uuid = Uuid::from_u128(1);

fn at(seq: i64) -> FeedPosition {
    FeedPosition {
        generation: GENERATION,
        seq,
    }
}

struct Feed {
    issuer: Issuer,
    follower: Follower,
}

impl Feed {
    fn new() -> Self {
        let issuer = Issuer::new("a");
        issuer.revocations().freshness().await_snapshot();
        let follower = Follower::new(issuer.revocations().clone(), issuer.clock().clone());
        Self { issuer, follower }
    }

    /// A feed whose reader has everything up to this sequence number.
    fn live(seq: i64) -> Self {
        let mut feed = Self::new();
        assert_eq!(feed.follower.connect(), None);
        assert!(!feed.follower.has_snapshot());
        assert_eq!(
            feed.follower.receive(FeedEvent::Ready(at(seq))),
            Ok(Effect::Ready)
        );
        assert!(feed.follower.has_snapshot());
        feed
    }

    fn revocation_of(&self, user: &User) -> Revocation {
        Revocation::Session {
            id: user.session_id().unwrap(),
            expires_at: self.issuer.clock().unix() + 900,
        }
    }

    fn revoke(&mut self, seq: i64, user: &User) -> Result<Effect, OutOfSync> {
        let revocation = self.revocation_of(user);
        self.follower.receive(FeedEvent::Revocation(at(seq), revocation))
    }

    fn knowledge(&self, user: &User) -> Knowledge {
        self.issuer.revocations().check(user, self.issuer.clock().unix())
    }

    fn users<const N: usize>(&self) -> [User; N] {
        std::array::from_fn(|_| self.issuer.as_user().user())
    }
}

#[test]
fn a_snapshot_takes_effect_at_once_and_replaces_the_set_when_it_is_complete() {
    let mut feed = Feed::new();
    let [old, new, other] = feed.users();
    let of_old = feed.revocation_of(&old);
    feed.issuer.revocations().apply(of_old);

    assert_eq!(feed.follower.connect(), None);
    assert_eq!(feed.revoke(5, &new), Ok(Effect::Nothing));
    assert_eq!(feed.knowledge(&new), Knowledge::Revoked);
    assert_eq!(feed.knowledge(&old), Knowledge::Revoked);
    assert_eq!(feed.knowledge(&other), Knowledge::Nothing);

    // Sequence numbers may be missing: those of expired entries.
    assert_eq!(feed.follower.receive(FeedEvent::Ready(at(9))), Ok(Effect::Ready));
    assert_eq!(feed.knowledge(&new), Knowledge::Revoked);
    assert_eq!(feed.knowledge(&old), Knowledge::NotRevoked);
    assert_eq!(feed.knowledge(&other), Knowledge::NotRevoked);
    assert_eq!(feed.follower.connect(), Some(at(9)));
}

#[test]
fn an_interrupted_snapshot_begins_again() {
    let mut feed = Feed::new();
    let [one, other] = feed.users();
    feed.follower.connect();
    feed.revoke(5, &one).unwrap();
    assert_eq!(feed.follower.connect(), None);
    feed.follower.receive(FeedEvent::Ready(at(9))).unwrap();
    assert_eq!(
        feed.knowledge(&one),
        Knowledge::NotRevoked,
        "the second snapshot does not list it"
    );
    assert_eq!(feed.knowledge(&other), Knowledge::NotRevoked);
}

#[test]
fn a_doubled_event_changes_nothing_and_a_reordered_one_is_applied_and_noticed() {
    let mut feed = Feed::live(0);
    let [one, two, three] = feed.users();
    for _ in 0..2 {
        assert_eq!(feed.revoke(1, &one), Ok(Effect::Nothing));
        assert_eq!(feed.knowledge(&one), Knowledge::Revoked);
    }
    assert_eq!(feed.revoke(3, &three), Err(OutOfSync::Gap));
    assert_eq!(feed.knowledge(&three), Knowledge::Revoked);
    assert_eq!(feed.knowledge(&two), Knowledge::Stale);
    assert_eq!(
        feed.follower.connect(),
        Some(at(1)),
        "the feed repeats what is missing"
    );

    feed.revoke(2, &two).unwrap();
    assert_eq!(feed.revoke(2, &two), Ok(Effect::Nothing));
    assert_eq!(feed.knowledge(&two), Knowledge::Revoked);
}

#[test]
fn a_lost_event_is_noticed_by_the_next_head() {
    let mut feed = Feed::live(4);
    let [user] = feed.users();
    assert_eq!(feed.follower.receive(FeedEvent::Head(at(4))), Ok(Effect::Nothing));
    assert_eq!(feed.knowledge(&user), Knowledge::NotRevoked);
    assert_eq!(feed.follower.receive(FeedEvent::Head(at(5))), Err(OutOfSync::Gap));
    assert_eq!(feed.knowledge(&user), Knowledge::Stale);
    assert_eq!(feed.follower.connect(), Some(at(4)));
}

#[test]
fn a_lower_head_does_not_prove_that_the_set_is_current() {
    let mut feed = Feed::live(4);
    let [user] = feed.users();
    feed.issuer.clock().advance(chrono::TimeDelta::seconds(6));
    assert_eq!(feed.follower.receive(FeedEvent::Head(at(3))), Ok(Effect::Nothing));
    assert_eq!(feed.knowledge(&user), Knowledge::Stale);
    assert_eq!(feed.follower.receive(FeedEvent::Head(at(4))), Ok(Effect::Nothing));
    assert_eq!(feed.knowledge(&user), Knowledge::NotRevoked);
}

#[test]
fn while_events_are_repeated_numbers_may_be_missing_and_the_set_is_not_yet_current() {
    let mut feed = Feed::live(4);
    let [user, other] = feed.users();
    feed.issuer.clock().advance(chrono::TimeDelta::seconds(6));
    assert_eq!(feed.follower.connect(), Some(at(4)));
    assert_eq!(feed.revoke(7, &user), Ok(Effect::Nothing));
    assert_eq!(feed.follower.receive(FeedEvent::Head(at(9))), Ok(Effect::Nothing));
    assert_eq!(feed.knowledge(&other), Knowledge::Stale);
    assert_eq!(
        feed.follower.connect(),
        Some(at(7)),
        "an interruption costs nothing"
    );

    assert_eq!(feed.follower.receive(FeedEvent::Ready(at(9))), Ok(Effect::Ready));
    assert_eq!(feed.knowledge(&user), Knowledge::Revoked);
    assert_eq!(feed.knowledge(&other), Knowledge::NotRevoked);
}

#[test]
fn after_a_reset_the_reader_asks_for_a_snapshot() {
    let mut feed = Feed::live(4);
    let [user] = feed.users();
    assert_eq!(feed.follower.receive(FeedEvent::Reset), Err(OutOfSync::Reset));
    assert_eq!(feed.knowledge(&user), Knowledge::Stale);
    assert_eq!(feed.follower.connect(), None);
}

#[test]
fn a_new_generation_is_noticed_in_every_kind_of_event() {
    let elsewhere = FeedPosition {
        generation: Uuid::from_u128(2),
        seq: 5,
    };
    let [user] = Feed::new().users();
    let revocation = Feed::new().revocation_of(&user);
    for event in [
        FeedEvent::Head(FeedPosition { seq: 4, ..elsewhere }),
        FeedEvent::Keys(elsewhere),
        FeedEvent::Revocation(elsewhere, revocation),
    ] {
        let mut feed = Feed::live(4);
        assert_eq!(feed.follower.receive(event), Err(OutOfSync::NewGeneration));
        assert_eq!(feed.follower.connect(), Some(at(4)), "the publisher decides");
    }
}

#[test]
fn the_feed_continues_elsewhere_only_at_a_head_that_the_reader_has_reached() {
    let mut feed = Feed::new();
    assert!(!feed.follower.continue_at(at(0)), "no snapshot");
    feed.follower.connect();
    assert!(!feed.follower.continue_at(at(0)), "the snapshot is not complete");

    let mut feed = Feed::live(4);
    let other = FeedPosition {
        generation: Uuid::from_u128(2),
        seq: 4,
    };
    assert!(!feed.follower.continue_at(at(5)) && !feed.follower.continue_at(other));
    assert!(!feed.follower.continue_at(at(3)), "the feed there lags behind");
    assert!(feed.follower.continue_at(at(4)));
    let [user] = feed.users();
    assert_eq!(feed.revoke(6, &user), Err(OutOfSync::Gap));

    // While missed events are repeated, a lower head says nothing about those that are still missing.
    feed.follower.connect();
    assert!(!feed.follower.continue_at(at(3)) && !feed.follower.continue_at(at(5)));
    assert_eq!(feed.knowledge(&feed.users::<1>()[0]), Knowledge::Stale);
    assert!(feed.follower.continue_at(at(4)));
    assert_eq!(feed.knowledge(&feed.users::<1>()[0]), Knowledge::NotRevoked);
    assert_eq!(feed.revoke(6, &user), Err(OutOfSync::Gap), "it is live again");
}

#[test]
fn a_revocation_that_arrives_another_way_is_applied_and_survives_a_snapshot() {
    let mut feed = Feed::new();
    let [user, other] = feed.users();
    feed.follower.connect();
    let revocation = feed.revocation_of(&user);
    feed.follower.overhear(FeedEvent::Revocation(at(9), revocation));
    assert_eq!(feed.knowledge(&user), Knowledge::Revoked);
    feed.follower.receive(FeedEvent::Ready(at(4))).unwrap();
    assert_eq!(feed.knowledge(&user), Knowledge::Revoked);
    assert_eq!(feed.knowledge(&other), Knowledge::NotRevoked);
    assert_eq!(feed.follower.connect(), Some(at(4)));
}

#[test]
fn a_change_of_keys_is_an_event_like_others() {
    let mut feed = Feed::live(4);
    assert_eq!(
        feed.follower.receive(FeedEvent::Keys(at(5))),
        Ok(Effect::KeysChanged)
    );
    assert_eq!(feed.follower.connect(), Some(at(5)));
    feed.follower.receive(FeedEvent::Ready(at(5))).unwrap();
    assert_eq!(feed.follower.receive(FeedEvent::Keys(at(7))), Err(OutOfSync::Gap));
}

#[test]
fn a_clock_that_is_set_back_requires_a_snapshot() {
    let mut feed = Feed::live(4);
    let [user] = feed.users();
    feed.issuer.clock().advance(chrono::TimeDelta::minutes(20));
    let revocation = Revocation::Session {
        id: user.session_id().unwrap(),
        expires_at: feed.issuer.clock().unix() - 300,
    };
    feed.follower
        .receive(FeedEvent::Revocation(at(5), revocation.clone()))
        .unwrap();
    assert_eq!(
        feed.knowledge(&user),
        Knowledge::NotRevoked,
        "expired by this clock"
    );

    // A second is the resolution.
    feed.issuer.clock().advance(chrono::TimeDelta::seconds(-1));
    assert_eq!(feed.follower.receive(FeedEvent::Head(at(5))), Ok(Effect::Nothing));
    feed.issuer.clock().advance(chrono::TimeDelta::minutes(-20));
    assert_eq!(
        feed.follower.receive(FeedEvent::Head(at(5))),
        Err(OutOfSync::ClockSetBack)
    );
    assert_eq!(feed.knowledge(&user), Knowledge::Stale);
    assert_eq!(feed.follower.connect(), None);
    feed.follower
        .receive(FeedEvent::Revocation(at(5), revocation))
        .unwrap();
    feed.follower.receive(FeedEvent::Ready(at(5))).unwrap();
    assert_eq!(feed.knowledge(&user), Knowledge::Revoked);
}
