//! Ending sessions and revoking tokens.
//!
//! [`Sessions::transaction`] stores revocations in the transaction that causes them, and applies them to this process after the
//! commit. Everyone else learns of them from the revocation feed (see `feed`). So does this process, if a commit succeeded but its
//! response was lost.

use std::error::Error;
use std::ops::{Deref, DerefMut};

use auth::Revocation;
use chrono::{DateTime, TimeDelta, Utc};
use db::{Conn, Db, Tx};
use uuid::Uuid;

use super::Sessions;
use crate::context::RequestContext;
use crate::domain::{EndedSession, Entry, Lifetimes, MAX_CLOCK_DIFFERENCE, MAX_LEEWAY};
use crate::store::{AuditLogRows, FeedRow, SessionRows, UserRows};

/// A refresh that runs at the same time as a transaction that raises the epoch may issue a token of the old epoch, until that
/// transaction commits. No such transaction takes as long as this.
const CONCURRENT_REFRESH: TimeDelta = TimeDelta::minutes(1);

/// No row of the feed matters for longer than this after it was stored, except one of a signing key, or of a token that was issued
/// with a longer lifetime.
pub(crate) fn longest_life(lifetimes: Lifetimes) -> TimeDelta {
    lifetimes.access + lifetimes.grace + CONCURRENT_REFRESH + MAX_LEEWAY
}

/// A transaction that collects rows of the revocation feed. Only [`Sessions::transaction`] creates it, and stores all collected
/// rows.
#[derive(Debug)]
pub(crate) struct RevokingTx<'t> {
    tx: &'t mut Tx,
    lifetimes: Lifetimes,
    rows: Vec<FeedRow>,
}

impl Deref for RevokingTx<'_> {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        self.tx
    }
}

impl DerefMut for RevokingTx<'_> {
    fn deref_mut(&mut self) -> &mut Conn {
        self.tx
    }
}

impl RevokingTx<'_> {
    /// Ends a session. Returns `None` if the session has ended already or never existed.
    pub(crate) async fn end(
        &mut self,
        session: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<EndedSession>, sqlx::Error> {
        let ended = SessionRows(self).end(session, now).await?;
        self.revoke_sessions(ended.as_slice(), now);
        Ok(ended)
    }

    /// Ends all sessions of a user except `kept`.
    pub(crate) async fn end_others(
        &mut self,
        user: Uuid,
        kept: Option<Uuid>,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let ended = SessionRows(self).end_all(user, kept, now).await?;
        self.revoke_sessions(&ended, now);
        Ok(())
    }

    /// Ends all sessions of the user except the `keep` most recently used ones.
    pub(crate) async fn end_least_recently_used(
        &mut self,
        user: Uuid,
        keep: i64,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let ended = SessionRows(self).end_least_recently_used(user, keep, now).await?;
        self.revoke_sessions(&ended, now);
        Ok(())
    }

    /// Ends all sessions of a user and revokes all tokens of the user. Returns whether the user exists.
    pub(crate) async fn end_all(&mut self, user: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
        let exists = self.revoke_access_tokens(user, now).await?;
        if exists {
            SessionRows(self).end_all(user, None, now).await?;
        }
        Ok(exists)
    }

    /// Revokes all access tokens of a user, whose sessions continue: the next refresh issues tokens with the current roles.
    /// Returns whether the user exists.
    pub(crate) async fn revoke_access_tokens(
        &mut self,
        user: Uuid,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        // Every transaction locks a user before the user's sessions, so that no two transactions wait for each other.
        let Some(epoch) = UserRows(self).raise_epoch(user, now).await? else {
            return Ok(false);
        };

        // A concurrent refresh may issue a token of the old epoch.
        let concurrent = self.lifetimes.latest_access_expiry(now) + CONCURRENT_REFRESH;
        let last = SessionRows(self).last_access_expiry(user).await?;
        let expires_at = last.map_or(concurrent, |last| last.max(concurrent)) + MAX_LEEWAY;
        self.rows.push(
            Revocation::User {
                id: user,
                epoch,
                expires_at: expires_at.timestamp(),
            }
            .into(),
        );
        Ok(true)
    }

    /// Revokes all tokens that this signing key signed. No verifier may hold the key at `expires_at`, in Unix seconds.
    pub(crate) fn revoke_key(&mut self, kid: String, expires_at: i64) {
        self.rows.push(Revocation::Key { kid, expires_at }.into());
    }

    /// Announces to all verifiers that the published keys have changed. A verifier that connects after `expires_at`, in Unix seconds,
    /// gets no announcement, but fetches the keys.
    pub(crate) fn announce_keys(&mut self, expires_at: i64) {
        self.rows.push(FeedRow::KeysChanged { expires_at });
    }

    /// Revokes the unexpired access tokens of ended sessions.
    fn revoke_sessions(&mut self, ended: &[EndedSession], now: DateTime<Utc>) {
        for session in ended {
            let expires_at = session.access_expires_at + MAX_LEEWAY;
            if expires_at + MAX_CLOCK_DIFFERENCE > now {
                self.rows.push(
                    Revocation::Session {
                        id: session.id,
                        expires_at: expires_at.timestamp(),
                    }
                    .into(),
                );
            }
        }
    }
}

impl Sessions {
    /// Runs a transaction, commits it, and applies its revocations to this process. [Like every transaction](Db::transaction),
    /// `work` may run more than once.
    pub(crate) async fn transaction<T, E>(
        &self,
        db: &Db,
        work: impl AsyncFn(&mut RevokingTx<'_>) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<sqlx::Error> + Error + 'static,
    {
        let run = async |tx: &mut Tx| {
            let mut tx = RevokingTx {
                tx,
                lifetimes: self.lifetimes,
                rows: Vec::new(),
            };
            let value = work(&mut tx).await?;

            // Last, because it locks the counter of revocations for all replicas until the commit.
            let last_seq = self.feed.store(tx.tx, &tx.rows).await?;
            Ok::<_, E>((value, tx.rows, last_seq))
        };
        let (value, rows, last_seq) = db.transaction(run).await?;
        self.feed.committed(rows, last_seq);
        Ok(value)
    }

    /// Ends these sessions, and adds an audit entry for each session that had not ended before. `entry` makes the entry from the
    /// id of the session's user.
    pub(crate) async fn end_and_record(
        &self,
        db: &Db,
        sessions: &[Uuid],
        context: &RequestContext,
        entry: impl Fn(Uuid) -> Entry,
    ) -> Result<(), sqlx::Error> {
        let end = async |tx: &mut RevokingTx<'_>| {
            let mut all_ended = Vec::new();
            for session in sessions {
                all_ended.extend(tx.end(*session, context.time()).await?);
            }
            for session in &all_ended {
                AuditLogRows(tx).add(&entry(session.user_id), context).await?;
            }
            Ok::<_, sqlx::Error>(())
        };
        self.transaction(db, end).await
    }
}

#[cfg(test)]
mod tests {
    use test_kit::TestDatabase;

    use super::*;
    use crate::store::MIGRATIONS;

    #[actix_web::test]
    async fn a_transaction_collects_revoked_keys_and_announcements() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let mut tx = RevokingTx {
            tx: &mut tx,
            lifetimes: Lifetimes::default(),
            rows: Vec::new(),
        };
        tx.revoke_key("k".to_owned(), 9);
        tx.announce_keys(8);

        let key = Revocation::Key {
            kid: "k".to_owned(),
            expires_at: 9,
        };
        assert_eq!(tx.rows, [key.into(), FeedRow::KeysChanged { expires_at: 8 }]);
    }
}
