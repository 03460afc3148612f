//! The table `sessions`: one row per login, with the hashes of the newest and of the previous refresh token.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use service_kit::{Cursor, Limit};
use uuid::Uuid;

use super::users::user_columns;
use crate::domain::{Account, EndedSession, ListedSession, RefreshToken, Session};

pub(crate) struct SessionRows<'c>(pub &'c mut Conn);

/// A session to open.
#[derive(Debug)]
pub(crate) struct NewSession<'n> {
    pub id: Uuid,
    pub user_id: Uuid,
    pub token: &'n RefreshToken,
    pub now: DateTime<Utc>,
    pub token_expires_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// No access token of the session expires later than this.
    pub access_expires_at: DateTime<Utc>,
    /// The address of the client that logged in.
    pub ip: &'n str,
    pub user_agent: &'n str,
    /// `password`, or the name of a provider.
    pub method: &'n str,
}

impl SessionRows<'_> {
    /// Adds a session.
    pub(crate) async fn open(&mut self, new: &NewSession<'_>) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into sessions (id, user_id, family_hash, token_hash, created_at, last_used_at, token_expires_at,
                                  expires_at, access_expires_at, ip, user_agent, method)
            values ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10, $11)";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(new.id)
            .bind(new.user_id)
            .bind(new.token.family_hash().as_slice())
            .bind(new.token.hash().as_slice())
            .bind(new.now)
            .bind(new.token_expires_at)
            .bind(new.expires_at)
            .bind(new.access_expires_at)
            .bind(new.ip)
            .bind(new.user_agent)
            .bind(new.method)
            .execute(conn)
            .await
            .map(drop))
    }

    /// Deletes the user's sessions that have ended or expired, and whose last access token expired before `access_expired_before`.
    /// Other rows are kept because [`last_access_expiry`](Self::last_access_expiry) reads them.
    pub(crate) async fn delete_expired(
        &mut self,
        user_id: Uuid,
        now: DateTime<Utc>,
        access_expired_before: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            delete from sessions
            where user_id = $1 and access_expires_at < $3
              and (ended_at is not null or token_expires_at <= $2 or expires_at <= $2)";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(user_id)
            .bind(now)
            .bind(access_expired_before)
            .execute(conn)
            .await
            .map(drop))
    }

    /// The session of a token's family. The token's secret is not compared: the token may be replaced or forged.
    pub(crate) async fn find_by_family(
        &mut self,
        token: &RefreshToken,
    ) -> Result<Option<Session>, sqlx::Error> {
        const SQL: &str = "
            select id as session_id, user_id, family_hash, token_hash, previous_hash, rotation_nonce, rotated_at,
                   token_expires_at, expires_at, ended_at
            from sessions where family_hash = $1";
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(token.family_hash().as_slice())
            .fetch_optional(conn)
            .await)
    }

    /// The user of a session, if the session has not ended and the user is not disabled. One statement reads session, user, roles
    /// and epoch. So a concurrent revocation either commits before this statement and is visible here, or commits after it and
    /// revokes the token that is issued from this data.
    pub(crate) async fn active_user(&mut self, id: Uuid) -> Result<Option<Account>, sqlx::Error> {
        const SQL: &str = concat!(
            "select ",
            user_columns!(),
            " from sessions join users on users.id = sessions.user_id
              where sessions.id = $1 and sessions.ended_at is null and not users.disabled"
        );
        on!(self.0, conn => sqlx::query_as(SQL).bind(id).fetch_optional(conn).await)
    }

    /// The user's sessions that have not ended and that are live or may have an unexpired access token, newest first.
    pub(crate) async fn list(
        &mut self,
        user_id: Uuid,
        now: DateTime<Utc>,
        cursor: Cursor,
        limit: Limit,
    ) -> Result<Vec<ListedSession>, sqlx::Error> {
        const SQL: &str = "
            select id, created_at, last_used_at, ip, user_agent, method
            from sessions
            where user_id = $1 and ended_at is null and id < $3
              and ((token_expires_at > $2 and expires_at > $2) or access_expires_at > $2)
            order by id desc limit $4";
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(user_id)
            .bind(now)
            .bind(cursor.below())
            .bind(limit.rows())
            .fetch_all(conn)
            .await)
    }

    /// Whether [`list`](Self::list) contains this session.
    pub(crate) async fn is_listed(
        &mut self,
        user_id: Uuid,
        id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            select count(*) from sessions
            where user_id = $1 and id = $2 and ended_at is null
              and ((token_expires_at > $3 and expires_at > $3) or access_expires_at > $3)";
        on!(self.0, conn => sqlx::query_scalar::<_, i64>(SQL)
            .bind(user_id)
            .bind(id)
            .bind(now)
            .fetch_one(conn)
            .await
            .map(|count| count > 0))
    }

    /// No access token that was issued to the user so far expires later than this.
    pub(crate) async fn last_access_expiry(
        &mut self,
        user_id: Uuid,
    ) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
        const SQL: &str = "
            select access_expires_at from sessions where user_id = $1 order by access_expires_at desc limit 1";
        on!(self.0, conn => sqlx::query_scalar(SQL).bind(user_id).fetch_optional(conn).await)
    }

    /// Ends a session. Returns `None` if the session has ended already or does not exist.
    pub(crate) async fn end(
        &mut self,
        id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<EndedSession>, sqlx::Error> {
        const SQL: &str = "
            update sessions set ended_at = $2 where id = $1 and ended_at is null
            returning id, user_id, access_expires_at";
        on!(self.0, conn => sqlx::query_as(SQL).bind(id).bind(now).fetch_optional(conn).await)
    }

    /// Ends all sessions of the user except the `keep` most recently used ones.
    pub(crate) async fn end_least_recently_used(
        &mut self,
        user_id: Uuid,
        keep: i64,
        now: DateTime<Utc>,
    ) -> Result<Vec<EndedSession>, sqlx::Error> {
        const SQL: &str = "
            update sessions set ended_at = $3
            where user_id = $1 and ended_at is null
              and id not in (
                  select id from sessions where user_id = $1 and ended_at is null
                  order by last_used_at desc, id desc limit $2)
            returning id, user_id, access_expires_at";
        on!(self.0, conn => sqlx::query_as(SQL).bind(user_id).bind(keep).bind(now).fetch_all(conn).await)
    }

    /// Ends all sessions of the user, except `kept`.
    pub(crate) async fn end_all(
        &mut self,
        user_id: Uuid,
        kept: Option<Uuid>,
        now: DateTime<Utc>,
    ) -> Result<Vec<EndedSession>, sqlx::Error> {
        const SQL: &str = "
            update sessions set ended_at = $3
            where user_id = $1 and ended_at is null and ($2 is null or id <> $2)
            returning id, user_id, access_expires_at";
        on!(self.0, conn => sqlx::query_as(SQL).bind(user_id).bind(kept).bind(now).fetch_all(conn).await)
    }
}

#[cfg(test)]
mod tests {
    use auth::Clock;
    use chrono::TimeDelta;
    use db::Db;
    use test_kit::TestDatabase;

    use super::*;
    use crate::store::{MIGRATIONS, UserRows, fixtures};

    #[actix_web::test]
    async fn delete_expired_deletes_only_sessions_whose_last_access_token_has_expired() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let now = Clock::system().now();
        let minutes = TimeDelta::minutes;
        let mut tx = db.begin().await.unwrap();
        let user_id = fixtures::add_ada(&mut tx, now).await;

        // Minutes until the refresh token, the session and the access token expire, and whether the session was ended.
        let cases = [
            (60, 60, 15, false), // live
            (0, 60, -20, false), // the refresh token has expired
            (60, 0, -20, false), // the session has expired
            (60, 0, -5, false),  // the session has expired, its access token only recently
            (60, 60, -5, true),  // ended, the access token has expired only recently
            (60, 60, -20, true), // ended, the access token has expired long ago
        ];
        let mut tokens = Vec::new();
        for (index, (token_left, left, access_left, is_ended)) in (0..).zip(cases) {
            let (id, token) = (Uuid::from_u128(index), RefreshToken::generate().unwrap());
            let [token_expires_at, expires_at, access_expires_at] =
                [token_left, left, access_left].map(|left| now + minutes(left));
            let session = NewSession {
                token_expires_at,
                expires_at,
                access_expires_at,
                ..fixtures::new_session(id, user_id, &token, now)
            };
            SessionRows(&mut tx).open(&session).await.unwrap();
            if is_ended {
                let ended = SessionRows(&mut tx).end(id, now).await.unwrap().unwrap();
                assert_eq!(
                    (ended.user_id, ended.access_expires_at),
                    (user_id, access_expires_at)
                );
                assert!(
                    SessionRows(&mut tx).end(id, now).await.unwrap().is_none(),
                    "a session ends once"
                );
            }
            tokens.push(token);
        }
        SessionRows(&mut tx)
            .delete_expired(Uuid::from_u128(2), now, now)
            .await
            .unwrap();
        SessionRows(&mut tx)
            .delete_expired(user_id, now, now - minutes(10))
            .await
            .unwrap();

        let mut kept = Vec::new();
        for token in &tokens {
            kept.push(
                SessionRows(&mut tx)
                    .find_by_family(token)
                    .await
                    .unwrap()
                    .is_some(),
            );
        }
        assert_eq!(kept, [true, false, false, true, true, false]);
        assert_eq!(
            SessionRows(&mut tx).last_access_expiry(user_id).await.unwrap(),
            Some(now + minutes(15))
        );
        assert_eq!(
            SessionRows(&mut tx)
                .last_access_expiry(Uuid::from_u128(2))
                .await
                .unwrap(),
            None
        );
    }

    #[actix_web::test]
    async fn making_a_user_admin_waits_for_a_concurrent_login_and_ends_its_session() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let now = Clock::system().now();
        let token = RefreshToken::generate().unwrap();
        let mut tx = db.begin().await.unwrap();
        let id = fixtures::add_ada(&mut tx, now).await;
        tx.commit().await.unwrap();

        let mut login = db.begin().await.unwrap();
        assert!(
            UserRows(&mut login)
                .lock_if_unchanged(id, 0)
                .await
                .unwrap()
                .is_some()
        );
        let mut make_admin = Box::pin(async {
            let mut tx = db.begin().await?;
            UserRows(&mut tx).make_admin(id, "new", "user admin", now).await?;
            SessionRows(&mut tx).end_all(id, None, now).await?;
            tx.commit().await
        });
        let waited = tokio::time::timeout(std::time::Duration::from_millis(500), &mut make_admin).await;
        assert!(waited.is_err(), "the change did not wait for the login");
        let session = fixtures::new_session(id, id, &token, now);
        SessionRows(&mut login).open(&session).await.unwrap();
        login.commit().await.unwrap();
        make_admin.await.unwrap();

        let mut tx = db.begin().await.unwrap();
        let session = SessionRows(&mut tx)
            .find_by_family(&token)
            .await
            .unwrap()
            .unwrap();
        assert!(!session.is_live(now));
        assert!(
            UserRows(&mut tx)
                .lock_if_unchanged(id, 0)
                .await
                .unwrap()
                .is_none()
        );
    }
}
