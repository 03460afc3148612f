//! Tests of the revocation set.

use chrono::TimeDelta;

use super::*;
use crate::testing::Issuer;

fn set(capacity: usize) -> (Revocations, Clock) {
    let clock = Clock::fixed();
    (Revocations::new(clock.clone(), capacity), clock)
}

/// The revocation of a random session, which expires after this number of seconds.
fn session(clock: &Clock, seconds: i64) -> Revocation {
    Revocation::Session {
        id: Uuid::new_v4(),
        expires_at: clock.unix() + seconds,
    }
}

fn session_of(user: &User, expires_at: i64) -> Revocation {
    Revocation::Session {
        id: user.session_id().unwrap(),
        expires_at,
    }
}

#[test]
fn ending_a_session_revokes_its_tokens_and_no_others() {
    let (set, clock) = set(10);
    let user = Issuer::new("a").as_user().user();
    let other = Issuer::new("a").as_user().user();

    set.apply(session_of(&user, clock.unix() + 900));

    assert!(set.revokes(&user));
    assert!(!set.revokes(&other));
}

#[test]
fn a_raised_epoch_revokes_only_earlier_tokens() {
    let (set, clock) = set(10);
    let issuer = Issuer::new("a");
    let id = Uuid::new_v4();
    let user_with = |epoch| issuer.as_user().id(id).epoch(epoch).user();

    // The revocation of epoch 1 is older but is received last. It has no effect.
    for epoch in [2, 1] {
        set.apply(Revocation::User {
            id,
            epoch,
            expires_at: clock.unix() + 900,
        });
    }

    assert!(set.revokes(&user_with(1)));
    assert!(!set.revokes(&user_with(2)));
    assert!(!set.revokes(&user_with(3)));
}

#[test]
fn expired_entries_make_room() {
    let (set, clock) = set(2);
    set.apply(session(&clock, 10));
    set.apply(session(&clock, 10));
    clock.advance(TimeDelta::seconds(11));
    set.apply(session(&clock, 10));

    assert_eq!((set.len(), set.is_empty()), (1, false));
    assert!(set.is_complete());

    let user = |seconds| Revocation::User {
        id: Uuid::new_v4(),
        epoch: 1,
        expires_at: clock.unix() + seconds,
    };
    set.replace_all([session(&clock, 0), user(0)]);
    assert_eq!((set.len(), set.is_empty()), (0, true), "expired at this moment");
    set.replace_all([session(&clock, 1), user(1)]);
    assert_eq!(set.len(), 2);
}

#[test]
fn an_expired_entry_takes_no_room() {
    let (set, clock) = set(1);
    set.apply(session(&clock, 0));
    assert!(set.is_empty());

    set.apply(session(&clock, 900));
    set.apply(session(&clock, 0));
    assert!(set.is_complete());
}

#[test]
fn a_full_set_becomes_incomplete_instead_of_dropping_entries() {
    let (set, clock) = set(2);
    let user = Issuer::new("a").as_user().user();
    set.apply(session_of(&user, clock.unix() + 900));
    let second = session(&clock, 900);
    set.apply(second.clone());
    set.apply(second.clone());
    assert!(
        set.is_complete(),
        "an entry that is already present needs no room"
    );

    set.apply(session(&clock, 900));
    assert!(!set.is_complete());
    assert!(set.revokes(&user));

    set.replace_all([second]);
    assert!(set.is_complete());
    assert!(!set.revokes(&user));
    assert_eq!(set.len(), 1);
}

#[test]
fn an_incomplete_set_becomes_complete_when_the_missing_entries_have_expired() {
    let (set, clock) = set(1);
    set.apply(session(&clock, 900));
    set.apply(session(&clock, 60));
    set.apply(session(&clock, 30));

    clock.advance(TimeDelta::seconds(59));
    assert!(!set.is_complete());
    clock.advance(TimeDelta::seconds(1));
    assert!(set.is_complete());
}

#[test]
fn a_list_that_does_not_fit_makes_the_set_incomplete() {
    let (set, clock) = set(1);
    set.replace_all([session(&clock, 900), session(&clock, 900)]);
    assert!(!set.is_complete());

    set.replace_all([session(&clock, 900), session(&clock, -1)]);
    assert!(set.is_complete());
}

#[test]
fn a_list_that_does_not_fit_is_cut_off_at_the_capacity() {
    let (set, clock) = set(2);
    let listed: Vec<_> = [900, 900, 60, 30].map(|seconds| session(&clock, seconds)).into();

    set.replace_all(listed);

    assert_eq!(set.len(), 2);
    clock.advance(TimeDelta::seconds(59));
    assert!(!set.is_complete(), "an entry that did not fit is still live");
    clock.advance(TimeDelta::seconds(1));
    assert!(set.is_complete());
}

#[test]
fn an_entry_keeps_its_latest_expiry_and_is_not_swept_early() {
    let (set, clock) = set(1_500);
    let id = Uuid::new_v4();
    for seconds in [100, 1] {
        set.apply(Revocation::Session {
            id,
            expires_at: clock.unix() + seconds,
        });
    }

    for _ in 0..1_000 {
        set.apply(session(&clock, 1));
    }
    clock.advance(TimeDelta::seconds(50));
    for _ in 0..50 {
        set.apply(session(&clock, 1));
    }

    assert!(set.read().sessions.contains_key(&id));
    assert!(set.len() < 100, "expired entries are removed: {}", set.len());
}
