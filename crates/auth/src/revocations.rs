//! The revocation set. A verifier looks up each user's token in it, also if the token is cached. A revoked signing key affects the
//! tokens of services too; a single service token can't be revoked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use foldhash::fast::RandomState;
use uuid::Uuid;

use crate::clock::Clock;
use crate::freshness::{Freshness, Knowledge};
use crate::principal::{SessionIds, User};
use crate::revocation::Revocation;

/// The revocation set. Clones share it.
///
/// The set drops an entry only after the entry has expired, or when [`replace_all`](Self::replace_all) brings a list without it.
/// If an entry does not fit, the set is [incomplete](Self::is_complete), and verifiers treat it as a set whose feed is silent.
#[derive(Clone, Debug)]
pub struct Revocations {
    shared: Arc<SharedSet>,
}

#[derive(Debug)]
struct SharedSet {
    clock: Clock,
    capacity: usize,
    set: RwLock<Set>,
    /// How often keys were revoked. A verifier checks a token that it cached at an earlier count again.
    key_revocations: AtomicU64,
    freshness: Freshness,
}

/// The hash function is fast, but not resistant to chosen keys. It need not be: user-service generates all ids at random.
#[derive(Debug, Default)]
struct Set {
    /// Session id → when the entry expires.
    sessions: HashMap<Uuid, i64, RandomState>,
    /// User id → the lowest valid epoch, and when the entry expires.
    users: HashMap<Uuid, (i64, i64), RandomState>,
    /// Key id → when the entry expires.
    keys: HashMap<String, i64>,
    /// The number of entries at which the expired ones are removed next: twice the number that the last removal left, and at
    /// least 1,024. So removal
    /// costs constant time per entry on average. A full set also removes its expired entries, at most once per second.
    next_sweep_len: usize,
    /// When expired entries were last removed, in Unix seconds.
    last_sweep: i64,
    /// Until when the set is incomplete: the latest expiry of the entries that did not fit.
    incomplete_until: Option<i64>,
}

impl Revocations {
    /// The default maximum number of entries, about 64 MB.
    pub const DEFAULT_CAPACITY: usize = 1_000_000;

    /// An empty set. At most `capacity` entries fit.
    #[must_use]
    pub fn new(clock: Clock, capacity: usize) -> Self {
        Self {
            shared: Arc::new(SharedSet {
                clock,
                capacity,
                set: RwLock::default(),
                key_revocations: AtomicU64::default(),
                freshness: Freshness::default(),
            }),
        }
    }

    /// Adds a revocation, with immediate effect for all verifiers that share the set. Revocations may be applied in any order and
    /// more than once.
    pub fn apply(&self, revocation: Revocation) {
        let (now, capacity) = (self.shared.clock.unix(), self.shared.capacity);
        if revocation.expires_at() <= now {
            return;
        }
        let mut set = self.write();

        let is_full = set.len() >= capacity;
        // Expiry times are whole seconds: after a removal in this second, no other entry expires before the next second.
        if set.len() >= set.next_sweep_len || (is_full && set.last_sweep != now) {
            set.remove_expired(now);
        }
        let was_complete = set.is_complete(now);
        let is_key = matches!(revocation, Revocation::Key { .. });
        set.insert_if_it_fits(revocation, capacity);
        if is_key {
            self.count_key_revocation();
        }
        if was_complete && !set.is_complete(now) {
            log_incomplete(capacity);
        }
    }

    /// Replaces the set with a complete list, for example after some revocations were not received.
    pub fn replace_all(&self, revocations: impl IntoIterator<Item = Revocation>) {
        let (now, capacity) = (self.shared.clock.unix(), self.shared.capacity);
        let mut set = Set::default();
        for revocation in revocations {
            if revocation.expires_at() > now {
                set.insert_if_it_fits(revocation, capacity);
            }
        }
        if !set.is_complete(now) {
            log_incomplete(capacity);
        }
        let mut current = self.write();
        *current = set;
        self.count_key_revocation();
    }

    /// The knowledge of the set about a user's token. A token that can't be revoked is not.
    pub(crate) fn check(&self, user: &User, now: i64) -> Knowledge {
        self.check_with(user, now, |freshness| freshness.knowledge(now))
    }

    /// The same, for a user of an issuer that the feed does not concern.
    pub(crate) fn check_without_feed(&self, user: &User, now: i64) -> Knowledge {
        self.check_with(user, now, |_| Knowledge::NotRevoked)
    }

    fn check_with(&self, user: &User, now: i64, feed: impl FnOnce(&Freshness) -> Knowledge) -> Knowledge {
        let Some(session) = user.data.session else {
            return Knowledge::NotRevoked;
        };
        let set = self.read();
        if set.revokes(user.id(), session) {
            return Knowledge::Revoked;
        }
        // Under the lock: otherwise the feed could become current with a revocation that this set does not have yet.
        let knowledge = feed(&self.shared.freshness);
        if knowledge == Knowledge::NotRevoked && !set.is_complete(now) {
            return Knowledge::Stale;
        }
        knowledge
    }

    /// Whether all tokens that this key signed are revoked.
    pub(crate) fn revokes_key(&self, kid: &str) -> bool {
        self.read().keys.contains_key(kid)
    }

    /// How often keys were revoked. Read this count before [`revokes_key`](Self::revokes_key): then a token that is cached with the
    /// count is checked again after its key is revoked.
    pub(crate) fn key_revocations(&self) -> u64 {
        self.shared.key_revocations.load(Ordering::Acquire)
    }

    /// Called under the write lock, after the change.
    fn count_key_revocation(&self) {
        self.shared.key_revocations.fetch_add(1, Ordering::Release);
    }

    /// When the feed was last heard.
    pub(crate) fn freshness(&self) -> &Freshness {
        &self.shared.freshness
    }

    /// Whether the set revokes the token that identified this user.
    #[must_use]
    pub fn revokes(&self, user: &User) -> bool {
        let session = user.data.session;
        session.is_some_and(|session| self.read().revokes(user.id(), session))
    }

    /// Whether the set holds all revocations that were applied and have not expired.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.read().is_complete(self.shared.clock.unix())
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    // A poisoned lock is safe to use: a panic can't leave the maps half-written.
    fn read(&self) -> RwLockReadGuard<'_, Set> {
        self.shared.set.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Set> {
        self.shared.set.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log_incomplete(capacity: usize) {
    tracing::error!(
        capacity,
        "the revocation set is full: roles are withheld until it has room"
    );
}

impl Set {
    fn len(&self) -> usize {
        self.sessions.len() + self.users.len() + self.keys.len()
    }

    fn revokes(&self, user: Uuid, session: SessionIds) -> bool {
        let is_outdated = |epoch: i64| {
            self.users
                .get(&user)
                .is_some_and(|(valid_from, _)| epoch < *valid_from)
        };
        self.sessions.contains_key(&session.id) || session.epoch.is_some_and(is_outdated)
    }

    fn is_complete(&self, now: i64) -> bool {
        self.incomplete_until.is_none_or(|until| until <= now)
    }

    fn contains(&self, revocation: &Revocation) -> bool {
        match revocation {
            Revocation::Session { id, .. } => self.sessions.contains_key(id),
            Revocation::User { id, .. } => self.users.contains_key(id),
            Revocation::Key { kid, .. } => self.keys.contains_key(kid),
        }
    }

    /// Adds an entry. An entry that does not fit makes the set incomplete until the entry expires.
    fn insert_if_it_fits(&mut self, revocation: Revocation, capacity: usize) {
        if self.len() < capacity || self.contains(&revocation) {
            self.insert(revocation);
        } else {
            self.incomplete_until = self.incomplete_until.max(Some(revocation.expires_at()));
        }
    }

    fn insert(&mut self, revocation: Revocation) {
        match revocation {
            Revocation::Session { id, expires_at } => {
                let entry = self.sessions.entry(id).or_insert(expires_at);
                *entry = expires_at.max(*entry);
            }
            Revocation::User {
                id,
                epoch,
                expires_at,
            } => {
                let entry = self.users.entry(id).or_insert((epoch, expires_at));
                *entry = (epoch.max(entry.0), expires_at.max(entry.1));
            }
            Revocation::Key { kid, expires_at } => {
                let entry = self.keys.entry(kid).or_insert(expires_at);
                *entry = expires_at.max(*entry);
            }
        }
    }

    fn remove_expired(&mut self, now: i64) {
        self.sessions.retain(|_, expires_at| *expires_at > now);
        self.users.retain(|_, (_, expires_at)| *expires_at > now);
        self.keys.retain(|_, expires_at| *expires_at > now);
        self.next_sweep_len = self.len().saturating_mul(2).max(1_024);
        self.last_sweep = now;
    }
}

#[cfg(test)]
mod tests;
