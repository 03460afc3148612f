//! Ending sessions and revoking tokens.
//!
//! [`Sessions::transaction`] stores revocations in the transaction that causes them, and applies them to this process after the
//! commit. Other replicas learn of revocations by polling. So does this replica, if a commit succeeded but its response was lost.

use std::error::Error;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use auth::{Revocation, Revocations};
use chrono::{DateTime, TimeDelta, Utc};
use db::{Conn, Db, Tx};
use uuid::Uuid;

use super::Sessions;
use crate::context::RequestContext;
use crate::domain::{EndedSession, Entry, Lifetimes, MAX_LEEWAY};
use crate::store::{AuditLogRows, RevocationRows, SessionRows, UserRows};

/// How often to read the revocations of other replicas.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// A refresh that runs at the same time as a transaction that raises the epoch may issue a token of the old epoch, until that
/// transaction commits. No such transaction takes as long as this.
const CONCURRENT_REFRESH: TimeDelta = TimeDelta::minutes(1);

/// A transaction that collects revocations. Only [`Sessions::transaction`] creates it, and stores all collected revocations.
#[derive(Debug)]
pub(crate) struct RevokingTx<'t> {
    tx: &'t mut Tx,
    lifetimes: Lifetimes,
    revocations: Vec<Revocation>,
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
        kept: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let ended = SessionRows(self).end_all(user, Some(kept), now).await?;
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
        self.revocations.push(Revocation::User {
            id: user,
            epoch,
            expires_at: expires_at.timestamp(),
        });
        Ok(true)
    }

    /// Revokes the unexpired access tokens of ended sessions.
    fn revoke_sessions(&mut self, ended: &[EndedSession], now: DateTime<Utc>) {
        for session in ended {
            let expires_at = session.access_expires_at + MAX_LEEWAY;
            if expires_at > now {
                self.revocations.push(Revocation::Session {
                    id: session.id,
                    expires_at: expires_at.timestamp(),
                });
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
                revocations: Vec::new(),
            };
            let value = work(&mut tx).await?;

            // The last statement, because it locks the counter of revocations for all replicas until the commit.
            RevocationRows(tx.tx).add(&tx.revocations).await?;
            Ok::<_, E>((value, tx.revocations))
        };
        let (value, revocations) = db.transaction(run).await?;
        apply(&self.revocations, revocations);
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
            Ok::<_, sqlx::Error>(all_ended)
        };
        for session in self.transaction(db, end).await? {
            tracing::info!(session.id = %session.id, user.id = %session.user_id, "a session was ended");
        }
        Ok(())
    }
}

/// Applies the stored revocations after the sequence number `from`, and returns the number to continue from.
///
/// A counter below `from` means that the database was restored from a backup, or failed over to a standby that lagged behind.
/// Numbers are then assigned a second time, so all stored revocations are read again. To apply a revocation twice changes nothing.
pub(crate) async fn catch_up(revocations: &Revocations, db: &Db, from: i64) -> Result<i64, sqlx::Error> {
    let mut conn = db.read().await?;
    let counter = RevocationRows(&mut conn).last_seq().await?;
    let from = if counter < from {
        tracing::warn!(
            counter,
            from,
            "the database has lost revocations that were already read, as after a restored backup: all are read again"
        );
        0
    } else {
        from
    };
    let rows = RevocationRows(&mut conn).after(from).await?;
    let last = rows.last().map_or(counter, |(seq, _)| *seq);
    apply(revocations, rows.into_iter().map(|(_, revocation)| revocation));
    Ok(last)
}

/// The background task that applies the revocations of all replicas. At its start, and after a failed poll, it reads all stored
/// revocations: during an outage the database may be restored from a backup, and its counter may pass `last` again before the next
/// successful poll.
pub(crate) async fn poll_revocations(revocations: Revocations, db: Db) {
    let mut last = 0;
    loop {
        match catch_up(&revocations, &db, last).await {
            Ok(newest) => last = newest,
            Err(error) => {
                tracing::warn!(%error, "the revocations of other replicas can't be read");
                last = 0;
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn apply(set: &Revocations, revocations: impl IntoIterator<Item = Revocation>) {
    for revocation in revocations {
        set.apply(revocation);
    }
}

#[cfg(test)]
mod tests {
    use auth::testing::Issuer;
    use db::on;
    use test_kit::TestDatabase;

    use super::*;
    use crate::domain::NAME;
    use crate::store::MIGRATIONS;

    async fn add(db: &Db, revocations: &[Revocation]) {
        let mut tx = db.begin().await.unwrap();
        RevocationRows(&mut tx).add(revocations).await.unwrap();
        tx.commit().await.unwrap();
    }

    #[actix_web::test]
    async fn a_revocation_with_a_number_assigned_twice_is_not_missed() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let issuer = Issuer::new(NAME);
        let set = issuer.revocations();
        let user = issuer.as_user().user();
        let expires_at = issuer.clock().unix() + 900;
        let other = |id| Revocation::Session {
            id: Uuid::from_u128(id),
            expires_at,
        };
        add(&db, &[other(1), other(2), other(3)]).await;
        let last = catch_up(set, &db, 0).await.unwrap();
        assert_eq!(last, 3);
        assert_eq!(catch_up(set, &db, last).await.unwrap(), 3);

        // The state of a backup that was made after the first revocation.
        let mut conn = db.write().await.unwrap();
        for sql in [
            "delete from revocations where seq > 1",
            "update revocation_counter set seq = 1",
        ] {
            on!(conn, conn => sqlx::query(sql).execute(conn).await.map(drop)).unwrap();
        }
        drop(conn);
        let revocation = Revocation::User {
            id: user.id(),
            epoch: user.epoch() + 1,
            expires_at,
        };
        add(&db, &[revocation]).await;

        assert!(!set.revokes(&user));
        assert_eq!(catch_up(set, &db, last).await.unwrap(), 2);
        assert!(set.revokes(&user));
    }
}
