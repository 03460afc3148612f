//! The table `sessions`: one row a login, with the hashes of its newest refresh token and of the one before.

use chrono::{DateTime, TimeDelta, Utc};
use db::{Conn, on};
use uuid::Uuid;

use crate::domain::RefreshToken;

pub(crate) struct Sessions<'c>(pub &'c mut Conn);

/// A session to open.
#[derive(Debug)]
pub(crate) struct NewSession<'n> {
    pub id: Uuid,
    pub user_id: Uuid,
    pub token: &'n RefreshToken,
    pub now: DateTime<Utc>,
    pub token_expires_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// When the last access token of it ends.
    pub access_expires_at: DateTime<Utc>,
}

/// A session, as a refresh looks at it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Session {
    pub id: Uuid,
    pub user_id: Uuid,
    token_hash: Vec<u8>,
    previous_hash: Option<Vec<u8>>,
    pub rotation_nonce: Option<Vec<u8>>,
    rotated_at: Option<DateTime<Utc>>,
    pub token_expires_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

impl Session {
    /// Whether the session goes on, as far as time and its bearer are concerned.
    pub(crate) fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.ended_at.is_none() && now < self.token_expires_at && now < self.expires_at
    }

    /// Whether this is the newest token.
    pub(crate) fn is_newest(&self, token: &RefreshToken) -> bool {
        self.token_hash == token.hash()
    }

    /// Whether this is the token before the newest, replaced so lately that its bearer may have missed the answer.
    pub(crate) fn was_just_replaced(
        &self,
        token: &RefreshToken,
        now: DateTime<Utc>,
        grace: TimeDelta,
    ) -> bool {
        self.previous_hash.as_deref() == Some(&token.hash())
            && self.rotated_at.is_some_and(|rotated_at| now - rotated_at <= grace)
    }
}

impl Sessions<'_> {
    pub(crate) async fn open(&mut self, new: &NewSession<'_>) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into sessions (id, user_id, family_hash, token_hash, created_at, last_used_at, token_expires_at,
                                  expires_at, access_expires_at)
            values ($1, $2, $3, $4, $5, $5, $6, $7, $8)";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(new.id)
            .bind(new.user_id)
            .bind(new.token.family_hash().as_slice())
            .bind(new.token.hash().as_slice())
            .bind(new.now)
            .bind(new.token_expires_at)
            .bind(new.expires_at)
            .bind(new.access_expires_at)
            .execute(conn)
            .await
            .map(drop))
    }

    /// Forgets a person's sessions that are over, once their last access token has ended before a time that leaves room for the
    /// clocks of others.
    pub(crate) async fn forget_old(
        &mut self,
        user_id: Uuid,
        now: DateTime<Utc>,
        access_ended_before: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            delete from sessions
            where user_id = $1 and access_expires_at < $3
              and (ended_at is not null or token_expires_at <= $2 or expires_at <= $2)";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(user_id)
            .bind(now)
            .bind(access_ended_before)
            .execute(conn)
            .await
            .map(drop))
    }

    /// Replaces the newest token by its successor, and returns the session if this call was the one that did: of any number
    /// of calls with one token, one is.
    pub(crate) async fn rotate(
        &mut self,
        token: &RefreshToken,
        successor: &RefreshToken,
        nonce: &[u8],
        now: DateTime<Utc>,
        token_expires_at: DateTime<Utc>,
        access_expires_at: DateTime<Utc>,
    ) -> Result<Option<Session>, sqlx::Error> {
        const SQL: &str = "
            update sessions
            set token_hash = $3, previous_hash = token_hash, rotation_nonce = $4, rotated_at = $5, last_used_at = $5,
                token_expires_at = case when $6 < expires_at then $6 else expires_at end,
                access_expires_at = case when $7 > access_expires_at then $7 else access_expires_at end
            where family_hash = $1 and token_hash = $2
              and ended_at is null and token_expires_at > $5 and expires_at > $5
            returning id, user_id, token_hash, previous_hash, rotation_nonce, rotated_at, token_expires_at,
                      expires_at, ended_at";
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(token.family_hash().as_slice())
            .bind(token.hash().as_slice())
            .bind(successor.hash().as_slice())
            .bind(nonce)
            .bind(now)
            .bind(token_expires_at)
            .bind(access_expires_at)
            .fetch_optional(conn)
            .await)
    }

    /// The session that a token belongs to, be it the newest or one of long ago.
    pub(crate) async fn find_by_token(
        &mut self,
        token: &RefreshToken,
    ) -> Result<Option<Session>, sqlx::Error> {
        const SQL: &str = "
            select id, user_id, token_hash, previous_hash, rotation_nonce, rotated_at, token_expires_at,
                   expires_at, ended_at
            from sessions where family_hash = $1";
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(token.family_hash().as_slice())
            .fetch_optional(conn)
            .await)
    }

    /// Whether access tokens of this session and this epoch are good: it has not ended, and its person may log in and kept
    /// their rights.
    pub(crate) async fn stand_behind(
        &mut self,
        id: Uuid,
        user_id: Uuid,
        epoch: i64,
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            select count(*) from sessions join users on users.id = sessions.user_id
            where sessions.id = $1 and users.id = $2 and users.epoch = $3
              and sessions.ended_at is null and not users.disabled";
        on!(self.0, conn => sqlx::query_scalar::<_, i64>(SQL)
            .bind(id)
            .bind(user_id)
            .bind(epoch)
            .fetch_one(conn)
            .await
            .map(|count| count > 0))
    }

    /// Ends a session, if it has not ended, and returns when its last access token ends.
    pub(crate) async fn end(
        &mut self,
        id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
        const SQL: &str = "
            update sessions set ended_at = coalesce(ended_at, $2) where id = $1 returning access_expires_at";
        on!(self.0, conn => sqlx::query_scalar(SQL).bind(id).bind(now).fetch_optional(conn).await)
    }

    /// Ends all sessions of whoever has this address.
    pub(crate) async fn end_all_of(
        &mut self,
        email_key: &str,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            update sessions set ended_at = $2
            where ended_at is null and user_id in (select id from users where email_key = $1)";
        on!(self.0, conn => sqlx::query(SQL).bind(email_key).bind(now).execute(conn).await.map(drop))
    }

    /// The sessions that were ended while access tokens of them may still be good, each with when the last one ends.
    pub(crate) async fn ended_with_access_after(
        &mut self,
        time: DateTime<Utc>,
    ) -> Result<Vec<(Uuid, DateTime<Utc>)>, sqlx::Error> {
        const SQL: &str = "
            select id, access_expires_at from sessions where ended_at is not null and access_expires_at > $1";
        on!(self.0, conn => sqlx::query_as(SQL).bind(time).fetch_all(conn).await)
    }
}

#[cfg(test)]
mod tests {
    use auth::Clock;
    use db::Db;
    use test_kit::TestDatabase;

    use super::*;
    use crate::domain::EmailAddress;
    use crate::startup::MIGRATIONS;
    use crate::store::{NewUser, Users};

    #[actix_web::test]
    async fn sessions_that_are_over_are_forgotten_once_nobody_asks_for_them() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let now = Clock::system().now();
        let minutes = TimeDelta::minutes;
        let user_id = Uuid::from_u128(1);
        let email = EmailAddress::parse("ada@example.com").unwrap();
        let new = NewUser { id: user_id, email: &email, name: "Ada", password_hash: "", roles: "user", now };
        let mut tx = db.begin().await.unwrap();
        assert!(Users(&mut tx).add(&new).await.unwrap());

        // Live; its token expired; itself expired; the same with an access token; ended lately; ended long ago.
        let ages = [
            (60, 60, 15, false),
            (0, 60, -20, false),
            (60, 0, -20, false),
            (60, 0, -5, false),
            (60, 60, -5, true),
            (60, 60, -20, true),
        ];
        let mut tokens = Vec::new();
        for (index, (token_left, left, access_left, is_ended)) in (0..).zip(ages) {
            let (id, token) = (Uuid::from_u128(index), RefreshToken::generate().unwrap());
            let [token_expires_at, expires_at, access_expires_at] =
                [token_left, left, access_left].map(|left| now + minutes(left));
            let new = NewSession {
                id,
                user_id,
                token: &token,
                now,
                token_expires_at,
                expires_at,
                access_expires_at,
            };
            Sessions(&mut tx).open(&new).await.unwrap();
            if is_ended {
                assert_eq!(Sessions(&mut tx).end(id, now).await.unwrap(), Some(access_expires_at));
                assert_eq!(Sessions(&mut tx).end(id, now).await.unwrap(), Some(access_expires_at));
            }
            tokens.push(token);
        }
        Sessions(&mut tx).forget_old(Uuid::from_u128(2), now, now).await.unwrap();
        Sessions(&mut tx).forget_old(user_id, now, now - minutes(10)).await.unwrap();

        let mut kept = Vec::new();
        for token in &tokens {
            kept.push(Sessions(&mut tx).find_by_token(token).await.unwrap().is_some());
        }
        assert_eq!(kept, [true, false, false, true, true, false]);
        let ended = Sessions(&mut tx).ended_with_access_after(now - minutes(10)).await.unwrap();
        assert_eq!(ended, [(Uuid::from_u128(4), now - minutes(5))]);
    }

    #[actix_web::test]
    async fn a_take_over_waits_for_a_login_under_way_and_ends_its_session() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let now = Clock::system().now();
        let later = now + TimeDelta::minutes(15);
        let (id, token) = (Uuid::from_u128(1), RefreshToken::generate().unwrap());
        let email = EmailAddress::parse("ada@example.com").unwrap();
        let new = NewUser { id, email: &email, name: "Ada", password_hash: "old", roles: "user", now };
        let mut tx = db.begin().await.unwrap();
        assert!(Users(&mut tx).add(&new).await.unwrap());
        tx.commit().await.unwrap();

        let mut login = db.begin().await.unwrap();
        assert!(Users(&mut login).confirm(id, Some("old")).await.unwrap().is_some());
        let mut take_over = Box::pin(async {
            let mut tx = db.begin().await?;
            Users(&mut tx).take_over(&email, "new", "user admin", now).await?;
            Sessions(&mut tx).end_all_of(&email.key(), now).await?;
            tx.commit().await
        });
        let waited = tokio::time::timeout(std::time::Duration::from_millis(500), &mut take_over).await;
        assert!(waited.is_err(), "it did not wait for the login");
        let new = NewSession {
            id,
            user_id: id,
            token: &token,
            now,
            token_expires_at: later,
            expires_at: later,
            access_expires_at: later,
        };
        Sessions(&mut login).open(&new).await.unwrap();
        login.commit().await.unwrap();
        take_over.await.unwrap();

        let mut tx = db.begin().await.unwrap();
        let session = Sessions(&mut tx).find_by_token(&token).await.unwrap().unwrap();
        assert!(!session.is_live(now));
        assert!(Users(&mut tx).confirm(id, Some("old")).await.unwrap().is_none());
    }
}
