//! What was taken back. Every verification asks this set, whether its token was seen before or not.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use foldhash::fast::RandomState;
use uuid::Uuid;

use crate::clock::Clock;
use crate::principal::User;
use crate::refusal::AuthError;

/// One act of taking back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// One session ended: its tokens are dead.
    Session {
        /// The session's id (`sid`).
        id: Uuid,
        /// Unix seconds at which the last of its tokens ends, leeway included; from then on nothing has to be remembered.
        expires_at: i64,
    },
    /// A person's rights changed, or all their sessions ended: tokens of an earlier epoch are dead.
    User {
        /// The person's id (`sub`).
        id: Uuid,
        /// The first epoch whose tokens are good again.
        epoch: i64,
        /// As for a session.
        expires_at: i64,
    },
}

impl Revocation {
    fn expires_at(self) -> i64 {
        match self {
            Self::Session { expires_at, .. } | Self::User { expires_at, .. } => expires_at,
        }
    }
}

/// The revocations that still matter. Clones share one set.
///
/// It never forgets early. Its bound reached, it takes nothing more in and says so by
/// [`is_complete`](Self::is_complete), and a verifier that asks it then trusts no token of a person.
#[derive(Clone, Debug)]
pub struct Revocations {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    capacity: usize,
    set: RwLock<Set>,
}

/// Looked at for each request, so by a quick hash. Its keys are ids that user-service made, and nobody else chooses.
#[derive(Debug, Default)]
struct Set {
    /// Session id to the time from which it may be forgotten.
    sessions: HashMap<Uuid, i64, RandomState>,
    /// User id to the lowest good epoch and the time from which it may be forgotten.
    users: HashMap<Uuid, (i64, i64), RandomState>,
    /// The size at which ended entries are next looked for, so that sweeping costs a constant amount for each entry.
    sweep_at: usize,
    /// Until when something is missing: the latest end of what did not fit.
    missing_until: Option<i64>,
}

impl Revocations {
    /// How many entries are kept at most, unless said otherwise: about 64 MB of them.
    pub const DEFAULT_CAPACITY: usize = 1_000_000;

    /// An empty set that keeps at most `capacity` entries.
    #[must_use]
    pub fn new(clock: Clock, capacity: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                clock,
                capacity,
                set: RwLock::default(),
            }),
        }
    }

    /// Takes one act in, at once for every verifier that shares the set. Acts may come twice and in any order.
    pub fn apply(&self, revocation: Revocation) {
        let now = self.shared.clock.unix();
        let mut set = self.write();
        if set.len() >= set.sweep_at.min(self.shared.capacity) {
            set.forget_ended(now);
            set.sweep_at = set.len().saturating_mul(2).max(1_024);
        }
        if set.len() >= self.shared.capacity && !set.knows(revocation) {
            tracing::error!(
                capacity = self.shared.capacity,
                "revocation set is full: people are refused"
            );
            set.missing_until = set.missing_until.max(Some(revocation.expires_at()));
            return;
        }
        set.insert(revocation);
    }

    /// Starts over from a complete list, as after a gap in what was heard.
    pub fn replace_all(&self, revocations: impl IntoIterator<Item = Revocation>) {
        let mut fresh = Set::default();
        for revocation in revocations {
            fresh.insert(revocation);
        }
        fresh.forget_ended(self.shared.clock.unix());
        if fresh.len() > self.shared.capacity {
            fresh.missing_until = Some(i64::MAX);
        }
        *self.write() = fresh;
    }

    /// Refuses a token of this person that was taken back, or of which that is not known.
    pub(crate) fn judge(&self, user: &User, now: i64) -> Result<(), AuthError> {
        let set = self.read();
        if set.revokes(user) {
            return Err(AuthError::Revoked);
        }
        if set.is_complete(now) {
            Ok(())
        } else {
            Err(AuthError::RevocationUnknown)
        }
    }

    /// Whether a token of this person was taken back.
    #[must_use]
    pub fn revokes(&self, user: &User) -> bool {
        self.read().revokes(user)
    }

    /// Whether the set holds everything that it was told.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.read().is_complete(self.shared.clock.unix())
    }

    /// How many entries are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    // A panic can't leave the maps half-written, so a poisoned lock is as good as any.
    fn read(&self) -> RwLockReadGuard<'_, Set> {
        self.shared.set.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Set> {
        self.shared.set.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Set {
    fn len(&self) -> usize {
        self.sessions.len() + self.users.len()
    }

    fn revokes(&self, user: &User) -> bool {
        self.sessions.contains_key(&user.session_id())
            || self
                .users
                .get(&user.id())
                .is_some_and(|(epoch, _)| user.epoch() < *epoch)
    }

    fn is_complete(&self, now: i64) -> bool {
        self.missing_until.is_none_or(|until| until <= now)
    }

    fn knows(&self, revocation: Revocation) -> bool {
        match revocation {
            Revocation::Session { id, .. } => self.sessions.contains_key(&id),
            Revocation::User { id, .. } => self.users.contains_key(&id),
        }
    }

    fn insert(&mut self, revocation: Revocation) {
        match revocation {
            Revocation::Session { id, expires_at } => {
                let kept = self.sessions.entry(id).or_insert(expires_at);
                *kept = expires_at.max(*kept);
            }
            Revocation::User {
                id,
                epoch,
                expires_at,
            } => {
                let kept = self.users.entry(id).or_insert((epoch, expires_at));
                *kept = (epoch.max(kept.0), expires_at.max(kept.1));
            }
        }
    }

    fn forget_ended(&mut self, now: i64) {
        self.sessions.retain(|_, expires_at| *expires_at > now);
        self.users.retain(|_, (_, expires_at)| *expires_at > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Issuer;

    fn set(capacity: usize) -> (Revocations, Clock) {
        let clock = Clock::fixed();
        (Revocations::new(clock.clone(), capacity), clock)
    }

    fn session(clock: &Clock, seconds: i64) -> Revocation {
        Revocation::Session {
            id: Uuid::new_v4(),
            expires_at: clock.unix() + seconds,
        }
    }

    #[test]
    fn ending_a_session_takes_back_its_tokens_and_no_others() {
        let (set, clock) = set(10);
        let user = Issuer::new("a").as_user().principal();
        let other = Issuer::new("a").as_user().principal();
        set.apply(Revocation::Session {
            id: user.session_id(),
            expires_at: clock.unix() + 900,
        });

        assert!(set.revokes(&user));
        assert!(!set.revokes(&other));
    }

    #[test]
    fn a_raised_epoch_takes_back_earlier_tokens_only() {
        let (set, clock) = set(10);
        let issuer = Issuer::new("a");
        let id = Uuid::new_v4();
        let of_epoch = |epoch| issuer.as_user().id(id).epoch(epoch).principal();
        set.apply(Revocation::User {
            id,
            epoch: 2,
            expires_at: clock.unix() + 900,
        });
        set.apply(Revocation::User {
            id,
            epoch: 1,
            expires_at: clock.unix() + 900,
        });

        assert!(set.revokes(&of_epoch(1)));
        assert!(!set.revokes(&of_epoch(2)));
        assert!(!set.revokes(&of_epoch(3)));
    }

    #[test]
    fn what_has_ended_makes_room() {
        let (set, clock) = set(2);
        set.apply(session(&clock, 10));
        set.apply(session(&clock, 10));
        clock.advance(chrono::TimeDelta::seconds(11));
        set.apply(session(&clock, 10));

        assert_eq!((set.len(), set.is_empty()), (1, false));
        assert!(set.is_complete());

        let user = |seconds| Revocation::User {
            id: Uuid::new_v4(),
            epoch: 1,
            expires_at: clock.unix() + seconds,
        };
        set.replace_all([session(&clock, 0), user(0)]);
        assert_eq!((set.len(), set.is_empty()), (0, true), "what ends now has ended");
        set.replace_all([session(&clock, 1), user(1)]);
        assert_eq!(set.len(), 2);
    }

    #[test]
    fn a_full_set_says_so_rather_than_forget() {
        let (set, clock) = set(2);
        let user = Issuer::new("a").as_user().principal();
        set.apply(Revocation::Session {
            id: user.session_id(),
            expires_at: clock.unix() + 900,
        });
        let known = session(&clock, 900);
        set.apply(known);
        set.apply(known);
        assert!(set.is_complete(), "what is known already needs no room");

        set.apply(session(&clock, 900));
        assert!(!set.is_complete());
        assert!(set.revokes(&user));

        set.replace_all([known]);
        assert!(set.is_complete());
        assert!(!set.revokes(&user));
        assert_eq!(set.len(), 1);
    }

    #[test]
    fn a_set_that_was_full_is_complete_again_once_what_it_missed_has_ended() {
        let (set, clock) = set(1);
        set.apply(session(&clock, 900));
        set.apply(session(&clock, 60));
        set.apply(session(&clock, 30));
        clock.advance(chrono::TimeDelta::seconds(59));
        assert!(!set.is_complete());
        clock.advance(chrono::TimeDelta::seconds(1));
        assert!(set.is_complete());
    }

    #[test]
    fn a_snapshot_that_does_not_fit_is_not_complete() {
        let (set, clock) = set(1);
        set.replace_all([session(&clock, 900), session(&clock, 900)]);
        assert!(!set.is_complete());
        set.replace_all([session(&clock, 900), session(&clock, -1)]);
        assert!(set.is_complete());
    }

    #[test]
    fn an_entry_is_kept_for_as_long_as_any_act_asked() {
        let (set, clock) = set(1_500);
        let id = Uuid::new_v4();
        set.apply(Revocation::Session {
            id,
            expires_at: clock.unix() + 100,
        });
        set.apply(Revocation::Session {
            id,
            expires_at: clock.unix() + 1,
        });
        clock.advance(chrono::TimeDelta::seconds(50));
        for _ in 0..1_400 {
            set.apply(session(&clock, -1));
        }
        assert!(set.read().sessions.contains_key(&id));
        assert!(set.len() < 1_100, "ended entries are swept out: {}", set.len());
    }
}
