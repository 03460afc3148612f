//! Applies the events of the feed to the revocation set, and notices when an event is missing. It does not know how events arrive.

use crate::clock::Clock;
use crate::feed::event::FeedEvent;
use crate::feed::position::FeedPosition;
use crate::revocation::Revocation;
use crate::revocations::Revocations;

/// Applies events in their order.
#[derive(Debug)]
pub(super) struct Follower {
    revocations: Revocations,
    clock: Clock,
    position: Option<FeedPosition>,
    phase: Phase,
    /// The clock at the last event, in Unix seconds.
    last_reading: i64,
}

#[derive(Debug)]
enum Phase {
    /// Everything that still matters arrives. Entries that are no longer listed are dropped at the end.
    Snapshot(Vec<Revocation>),
    /// The events since the last position arrive. Expired entries are left out, so sequence numbers may be missing.
    CatchUp,
    /// Events arrive as they happen. No sequence number may be missing.
    Live,
}

/// The consequence of an event for the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Nothing,
    /// The set is complete up to now.
    Ready,
    /// The published keys have changed.
    KeysChanged,
}

/// Why the reader must connect again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OutOfSync {
    #[error("the publisher does not know the reader's position")]
    Reset,
    #[error("an event is missing")]
    Gap,
    #[error("the feed has a new generation")]
    NewGeneration,
    #[error("the clock was set back: entries may have been dropped too early")]
    ClockSetBack,
}

impl Follower {
    pub fn new(revocations: Revocations, clock: Clock) -> Self {
        Self {
            revocations,
            clock,
            position: None,
            phase: Phase::Snapshot(Vec::new()),
            last_reading: i64::MIN,
        }
    }

    /// Prepares for a new connection, and returns the position from which the feed should continue. `None` requests a snapshot.
    pub fn connect(&mut self) -> Option<FeedPosition> {
        self.phase = match self.position {
            Some(_) => Phase::CatchUp,
            None => Phase::Snapshot(Vec::new()),
        };
        self.position
    }

    /// Whether there was a snapshot.
    pub fn has_snapshot(&self) -> bool {
        self.revocations.freshness().has_snapshot()
    }

    /// Applies an event.
    pub fn receive(&mut self, event: FeedEvent) -> Result<Effect, OutOfSync> {
        self.check_clock()?;
        match event {
            FeedEvent::Reset => {
                self.position = None;
                self.revocations.freshness().behind();
                Err(OutOfSync::Reset)
            }
            FeedEvent::Ready(position) => {
                self.finish_catching_up();
                self.position = Some(position);
                self.heard();
                Ok(Effect::Ready)
            }
            FeedEvent::Head(head) => self.check_head(head),
            FeedEvent::Revocation(position, revocation) => {
                // Even if an earlier one is missing: a revocation is never wrong.
                self.apply(revocation);
                self.advance(position)?;
                Ok(Effect::Nothing)
            }
            FeedEvent::Keys(position) => {
                self.advance(position)?;
                Ok(Effect::KeysChanged)
            }
        }
    }

    /// Whether the feed can continue with the events after this head, because the set has everything up to it, and nothing more.
    pub fn continue_at(&mut self, head: FeedPosition) -> bool {
        if matches!(self.phase, Phase::Snapshot(_)) || self.position != Some(head) {
            return false;
        }
        self.phase = Phase::Live;
        self.heard();
        true
    }

    /// A clock that was ahead made the set drop entries that have not expired by the clock that was set back. Only a snapshot has them.
    fn check_clock(&mut self) -> Result<(), OutOfSync> {
        let now = self.clock.unix();
        let is_set_back = now < self.last_reading.saturating_sub(1);
        self.last_reading = now;
        if is_set_back {
            self.position = None;
            return Err(self.out_of_sync(OutOfSync::ClockSetBack));
        }
        Ok(())
    }

    /// Applies an event that arrived another way, without relying on its position.
    pub fn overhear(&mut self, event: FeedEvent) {
        if let FeedEvent::Revocation(_, revocation) = event {
            self.apply(revocation);
        }
    }

    fn apply(&mut self, revocation: Revocation) {
        if let Phase::Snapshot(listed) = &mut self.phase {
            listed.push(revocation.clone());
        }
        self.revocations.apply(revocation);
    }

    fn finish_catching_up(&mut self) {
        if let Phase::Snapshot(listed) = std::mem::replace(&mut self.phase, Phase::Live) {
            self.revocations.replace_all(listed);
        }
    }

    /// Moves to the position of a revocation or a change of keys.
    fn advance(&mut self, to: FeedPosition) -> Result<(), OutOfSync> {
        match (&self.phase, self.position) {
            // The position counts only once the snapshot is complete.
            (Phase::Snapshot(_), _) => {}
            (Phase::Live, Some(from)) => {
                check_generation(from, to)?;
                if to.seq > from.seq + 1 {
                    return Err(self.out_of_sync(OutOfSync::Gap));
                }
                // A lower number is that of an event that was sent twice.
                if to.seq == from.seq + 1 {
                    self.position = Some(to);
                    self.heard();
                }
            }
            (Phase::CatchUp | Phase::Live, _) => self.position = Some(to),
        }
        Ok(())
    }

    fn check_head(&mut self, head: FeedPosition) -> Result<Effect, OutOfSync> {
        if let (Phase::Live, Some(from)) = (&self.phase, self.position) {
            check_generation(from, head)?;
            if head.seq > from.seq {
                return Err(self.out_of_sync(OutOfSync::Gap));
            }
            // A lower number is that of a replica that has not seen the newest event yet.
            if head.seq == from.seq {
                self.heard();
            }
        }
        Ok(Effect::Nothing)
    }

    fn out_of_sync(&self, reason: OutOfSync) -> OutOfSync {
        self.revocations.freshness().behind();
        reason
    }

    fn heard(&self) {
        self.revocations.freshness().heard(self.clock.unix());
    }
}

/// Nothing is known to be missing after a change of the generation: usually the publisher was restarted.
fn check_generation(from: FeedPosition, to: FeedPosition) -> Result<(), OutOfSync> {
    if from.generation == to.generation {
        Ok(())
    } else {
        Err(OutOfSync::NewGeneration)
    }
}

#[cfg(test)]
mod tests {
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
            assert_eq!(
                feed.follower.receive(FeedEvent::Ready(at(seq))),
                Ok(Effect::Ready)
            );
            feed
        }

        fn revocation_of(&self, user: &User) -> Revocation {
            Revocation::Session {
                id: user.session_id(),
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
            id: user.session_id(),
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
}
