//! Taking tokens back: one session's, or all that a person has. What is done here is written down in the transaction that does
//! it, and honoured by this process once that is committed.

use auth::Revocation;
use chrono::{DateTime, TimeDelta, Utc};
use db::{Conn, Db, Tx};
use uuid::Uuid;

use crate::call::Call;
use crate::domain::Entry;
use crate::login::Logins;
use crate::store::{AuditLog, EndedSession, RevocationRows, Sessions, Users};

/// How long after its end a token may still be taken for good: twice the leeway that verifiers leave to clocks.
pub(crate) const LEEWAY: TimeDelta = TimeDelta::seconds(60);

/// Tokens that were taken back in a transaction. Once that is committed, [`Logins::take_back`] has to know.
#[must_use]
#[derive(Debug, Default)]
pub(crate) struct TakenBack(Vec<Revocation>);

/// Sessions that were ended.
#[must_use]
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub sessions: Vec<EndedSession>,
    pub taken_back: TakenBack,
}

impl Logins {
    /// Ends these sessions, those of them that go on.
    pub(crate) async fn end(
        &self,
        conn: &mut Conn,
        sessions: &[Uuid],
        now: DateTime<Utc>,
    ) -> Result<Ended, sqlx::Error> {
        let mut ended = Vec::new();
        for session in sessions {
            ended.extend(Sessions(conn).end(*session, now).await?);
        }
        Self::written_down(conn, ended).await
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
            let ended = self.end(tx, sessions, call.at).await?;
            for session in &ended.sessions {
                AuditLog(tx).add(&entry(session.user_id), call).await?;
            }
            Ok::<_, sqlx::Error>(ended)
        };
        let ended = db.transaction(end).await?;
        for session in &ended.sessions {
            tracing::info!(session.id = %session.id, user.id = %session.user_id, "a session was ended");
        }
        self.take_back(ended.taken_back);
        Ok(())
    }

    /// Ends all sessions of a person but one.
    pub(crate) async fn end_others(
        &self,
        conn: &mut Conn,
        user: Uuid,
        kept: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Ended, sqlx::Error> {
        let ended = Sessions(conn).end_all_of(user, Some(kept), now).await?;
        Self::written_down(conn, ended).await
    }

    /// Ends all sessions of a person, and takes back every token that they have. `None` where there is no such person.
    pub(crate) async fn end_all(
        &self,
        conn: &mut Conn,
        user: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<TakenBack>, sqlx::Error> {
        // People before their sessions, here as everywhere, so that no two transactions wait for each other.
        let Some(epoch) = Users(conn).raise_epoch(user, now).await? else { return Ok(None) };
        Sessions(conn).end_all_of(user, None, now).await?;
        self.all_taken_back(conn, user, epoch, now).await.map(Some)
    }

    /// Takes back every access token of a person whose rights have changed. Their sessions go on, with the new rights.
    pub(crate) async fn renew_rights(
        &self,
        conn: &mut Conn,
        user: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<TakenBack>, sqlx::Error> {
        let Some(epoch) = Users(conn).raise_epoch(user, now).await? else { return Ok(None) };
        self.all_taken_back(conn, user, epoch, now).await.map(Some)
    }

    /// Has this process refuse what was taken back.
    pub(crate) fn take_back(&self, taken_back: TakenBack) {
        for revocation in taken_back.0 {
            self.revocations.apply(revocation);
        }
    }

    /// Refuses, after a start, what was taken back before it.
    pub(crate) async fn remember(&self, db: &Db, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let revocations = RevocationRows(&mut db.read().await?).all(now).await?;
        self.take_back(TakenBack(revocations));
        Ok(())
    }

    async fn written_down(conn: &mut Conn, sessions: Vec<EndedSession>) -> Result<Ended, sqlx::Error> {
        let revocation = |session: &EndedSession| Revocation::Session {
            id: session.id,
            expires_at: (session.access_expires_at + LEEWAY).timestamp(),
        };
        let revocations: Vec<_> = sessions.iter().map(revocation).collect();
        RevocationRows(conn).add(&revocations).await?;
        Ok(Ended { sessions, taken_back: TakenBack(revocations) })
    }

    /// Takes back all tokens of a person that are of an earlier epoch. A refresh that is under way may give one out that ends
    /// later than any so far, and no later than one that were given out now.
    async fn all_taken_back(
        &self,
        conn: &mut Conn,
        user: Uuid,
        epoch: i64,
        now: DateTime<Utc>,
    ) -> Result<TakenBack, sqlx::Error> {
        let last = Sessions(conn).last_access_of(user).await?.max(Some(self.access_expires_at(now)));
        let expires_at = (last.unwrap_or(now) + LEEWAY).timestamp();
        let revocation = Revocation::User { id: user, epoch, expires_at };
        RevocationRows(conn).add(&[revocation]).await?;
        Ok(TakenBack(vec![revocation]))
    }
}
