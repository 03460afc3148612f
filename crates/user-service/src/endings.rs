//! Taking tokens back: one session's, or all that a person has. What is done here is written down in the transaction that does
//! it, and honoured by this process once that is committed; by others, and by this one if it never learned how the commit ended,
//! when they next look at what was written.

use std::time::Duration;

use auth::Revocation;
use chrono::{DateTime, TimeDelta, Utc};
use db::{Conn, Db, Tx};
use uuid::Uuid;

use crate::call::Call;
use crate::domain::Entry;
use crate::login::Logins;
use crate::store::{AuditLog, EndedSession, RevocationRows, Sessions, Users};

/// How long after its `exp` a verifier may still accept a token.
pub(crate) const LEEWAY: TimeDelta = auth::MAX_LEEWAY;

/// How often to look for what other processes took back.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Tokens that are taken back in this transaction, once it is [written down](Self::write_down) there.
#[must_use]
#[derive(Debug, Default)]
pub(crate) struct TakingBack(Vec<Revocation>);

/// Tokens that were taken back in a transaction. Once that is committed, [`Logins::take_back`] has to know.
#[must_use]
#[derive(Debug, Default)]
pub(crate) struct TakenBack(Vec<Revocation>);

impl TakingBack {
    /// Writes them down. It is the last thing that a transaction does: nobody else can until it ends.
    pub(crate) async fn write_down(self, conn: &mut Conn) -> Result<TakenBack, sqlx::Error> {
        RevocationRows(conn).add(&self.0).await?;
        Ok(TakenBack(self.0))
    }

    /// Access tokens of sessions that were ended, those that may still be good.
    fn of_sessions(sessions: &[EndedSession], now: DateTime<Utc>) -> Self {
        let revocation = |session: &EndedSession| Revocation::Session {
            id: session.id,
            expires_at: (session.access_expires_at + LEEWAY).timestamp(),
        };
        let matters = |session: &&EndedSession| session.access_expires_at + LEEWAY > now;
        Self(sessions.iter().filter(matters).map(revocation).collect())
    }
}

impl Logins {
    /// Ends these sessions, and returns those of them that went on.
    pub(crate) async fn end(
        &self,
        conn: &mut Conn,
        sessions: &[Uuid],
        now: DateTime<Utc>,
    ) -> Result<(Vec<EndedSession>, TakingBack), sqlx::Error> {
        let mut ended = Vec::new();
        for session in sessions {
            ended.extend(Sessions(conn).end(*session, now).await?);
        }
        let taking_back = TakingBack::of_sessions(&ended, now);
        Ok((ended, taking_back))
    }

    /// Ends these sessions, and writes down for each whose it was.
    pub(crate) async fn end_and_record(
        &self,
        db: &Db,
        sessions: &[Uuid],
        call: &Call,
        entry: impl Fn(Uuid) -> Entry,
    ) -> Result<(), sqlx::Error> {
        let end = async |tx: &mut Tx| {
            let (ended, taking_back) = self.end(tx, sessions, call.at()).await?;
            for session in &ended {
                AuditLog(tx).add(&entry(session.user_id), call).await?;
            }
            Ok::<_, sqlx::Error>((ended, taking_back.write_down(tx).await?))
        };
        let (ended, taken_back) = db.transaction(end).await?;
        for session in &ended {
            tracing::info!(session.id = %session.id, user.id = %session.user_id, "a session was ended");
        }
        self.take_back(taken_back);
        Ok(())
    }

    /// Ends all sessions of a person but one.
    pub(crate) async fn end_others(
        &self,
        conn: &mut Conn,
        user: Uuid,
        kept: Uuid,
        now: DateTime<Utc>,
    ) -> Result<TakingBack, sqlx::Error> {
        let ended = Sessions(conn).end_all_of(user, Some(kept), now).await?;
        Ok(TakingBack::of_sessions(&ended, now))
    }

    /// Ends the sessions of a person that were used least lately, where they have more than so many.
    pub(crate) async fn end_more_than(
        &self,
        conn: &mut Conn,
        user: Uuid,
        count: i64,
        now: DateTime<Utc>,
    ) -> Result<TakingBack, sqlx::Error> {
        let ended = Sessions(conn).end_more_than(user, count, now).await?;
        Ok(TakingBack::of_sessions(&ended, now))
    }

    /// Ends all sessions of a person, and takes back every token that they have. `None` where there is no such person.
    pub(crate) async fn end_all(
        &self,
        conn: &mut Conn,
        user: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<TakingBack>, sqlx::Error> {
        let taking_back = self.renew_rights(conn, user, now).await?;
        if taking_back.is_some() {
            Sessions(conn).end_all_of(user, None, now).await?;
        }
        Ok(taking_back)
    }

    /// Takes back every access token of a person whose rights have changed. Their sessions go on, with the new rights.
    pub(crate) async fn renew_rights(
        &self,
        conn: &mut Conn,
        user: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<TakingBack>, sqlx::Error> {
        // People before their sessions, here as everywhere, so that no two transactions wait for each other.
        let Some(epoch) = Users(conn).raise_epoch(user, now).await? else {
            return Ok(None);
        };
        // A refresh that is under way may give a token out that ends later than any so far, and no later than one that were given
        // out now.
        let under_way = self.lifetimes.access_expires_at(now);
        let last = Sessions(conn)
            .last_access_of(user)
            .await?
            .map_or(under_way, |last| last.max(under_way));
        let expires_at = (last + LEEWAY).timestamp();
        Ok(Some(TakingBack(vec![Revocation::User {
            id: user,
            epoch,
            expires_at,
        }])))
    }

    /// Has this process refuse what was taken back.
    pub(crate) fn take_back(&self, taken_back: TakenBack) {
        for revocation in taken_back.0 {
            self.revocations.apply(revocation);
        }
    }

    /// Refuses what was taken back up to now, by whichever process, and returns how far that is.
    pub(crate) async fn catch_up(&self, db: &Db, from: i64) -> Result<i64, sqlx::Error> {
        let rows = RevocationRows(&mut db.read().await?).after(from).await?;
        let newest = rows.last().map_or(from, |(seq, _)| *seq);
        self.take_back(TakenBack(
            rows.into_iter().map(|(_, revocation)| revocation).collect(),
        ));
        Ok(newest)
    }

    /// Keeps up with what other processes take back.
    pub(crate) async fn keep_up(self, db: Db, mut from: i64) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            match self.catch_up(&db, from).await {
                Ok(newest) => from = newest,
                Err(error) => tracing::warn!(%error, "what was taken back elsewhere is not known"),
            }
        }
    }
}
