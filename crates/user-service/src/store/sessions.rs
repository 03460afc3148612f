//! The table `sessions`: one row a login, with the hashes of its newest refresh token and of the one before.

use chrono::{DateTime, TimeDelta, Utc};
use db::{Conn, on};
use service_kit::{Cursor, Limit};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::{Account, RefreshToken};

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
    /// Where it was opened from.
    pub ip: &'n str,
    pub user_agent: &'n str,
}

/// The next token of a session, to put in the place of the newest.
#[derive(Debug)]
pub(crate) struct Rotation {
    pub family_hash: [u8; 32],
    pub token_hash: [u8; 32],
    pub successor_hash: [u8; 32],
    pub nonce: [u8; 32],
    /// Where it was asked for from.
    pub ip: String,
    pub user_agent: String,
}

/// When tokens are rotated, and what that gives them.
#[derive(Debug)]
pub(crate) struct RotationTimes {
    pub now: DateTime<Utc>,
    pub token_expires_at: DateTime<Utc>,
    pub access_expires_at: DateTime<Utc>,
}

/// A session that was ended.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct EndedSession {
    pub id: Uuid,
    pub user_id: Uuid,
    /// When its last access token ends by itself.
    pub access_expires_at: DateTime<Utc>,
}

/// A session, as its bearer sees it.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct OpenSession {
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub ip: String,
    pub user_agent: String,
    pub method: String,
}

/// A session, as a refresh looks at it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Session {
    #[sqlx(rename = "session_id")]
    pub id: Uuid,
    pub user_id: Uuid,
    family_hash: Vec<u8>,
    token_hash: Vec<u8>,
    previous_hash: Option<Vec<u8>>,
    pub rotation_nonce: Option<Vec<u8>>,
    rotated_at: Option<DateTime<Utc>>,
    pub token_expires_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

/// A session, and whose it is.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct BorneSession {
    #[sqlx(flatten)]
    pub session: Session,
    #[sqlx(flatten)]
    pub bearer: Account,
}

impl Session {
    /// Whether the rotated token, whatever its age, belongs to it.
    pub(crate) fn is_meant_by(&self, rotation: &Rotation) -> bool {
        self.family_hash == rotation.family_hash
    }

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
            && self
                .rotated_at
                .is_some_and(|rotated_at| now - rotated_at <= grace)
    }
}

impl Sessions<'_> {
    pub(crate) async fn open(&mut self, new: &NewSession<'_>) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into sessions (id, user_id, family_hash, token_hash, created_at, last_used_at, token_expires_at,
                                  expires_at, access_expires_at, ip, user_agent)
            values ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10)";
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

    /// Replaces each token by its successor where it is the newest of a session that goes on: of any number of rotations of one
    /// token, one comes to pass.
    pub(crate) async fn rotate(
        &mut self,
        rotations: &[Rotation],
        times: &RotationTimes,
    ) -> Result<(), sqlx::Error> {
        let rows = rows_of(6, rotations.len(), 3);
        let sql = format!(
            "with next (family_hash, token_hash, successor_hash, nonce, ip, user_agent) as (values {rows})
             update sessions
             set token_hash = next.successor_hash, previous_hash = sessions.token_hash, rotation_nonce = next.nonce,
                 rotated_at = $1, last_used_at = $1,
                 token_expires_at = case when $2 < expires_at then $2 else expires_at end,
                 access_expires_at = case when $3 > access_expires_at then $3 else access_expires_at end,
                 ip = next.ip, user_agent = next.user_agent
             from next
             where sessions.family_hash = next.family_hash and sessions.token_hash = next.token_hash
               and ended_at is null and token_expires_at > $1 and expires_at > $1"
        );
        on!(self.0, conn => {
            let mut query = sqlx::query(AssertSqlSafe(sql))
                .bind(times.now)
                .bind(times.token_expires_at)
                .bind(times.access_expires_at);
            for rotation in padded(rotations) {
                query = query
                    .bind(rotation.family_hash.as_slice())
                    .bind(rotation.token_hash.as_slice())
                    .bind(rotation.successor_hash.as_slice())
                    .bind(rotation.nonce.as_slice())
                    .bind(&rotation.ip)
                    .bind(&rotation.user_agent);
            }
            query.execute(conn).await.map(drop)
        })
    }

    /// The sessions that these tokens belong to, and whose they are, those that are over and people who are disabled too. It is one
    /// look for all that an access token depends on, for the reason that [`bearer`](Self::bearer) gives.
    pub(crate) async fn find_borne(
        &mut self,
        rotations: &[Rotation],
    ) -> Result<Vec<BorneSession>, sqlx::Error> {
        let rows = rows_of(1, rotations.len(), 0);
        let sql = format!(
            "select sessions.id as session_id, user_id, family_hash, token_hash, previous_hash, rotation_nonce, rotated_at,
                    token_expires_at, expires_at, ended_at,
                    users.id, email, email_verified, name, password_hash, roles, epoch, disabled, users.created_at
             from sessions join users on users.id = sessions.user_id
             where family_hash in (values {rows})"
        );
        on!(self.0, conn => {
            let mut query = sqlx::query_as(AssertSqlSafe(sql));
            for rotation in padded(rotations) {
                query = query.bind(rotation.family_hash.as_slice());
            }
            query.fetch_all(conn).await
        })
    }

    /// The session that a token belongs to, be it the newest or one of long ago.
    pub(crate) async fn find_by_token(
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

    /// Whoever may have an access token for this session now. One statement tells whether the session goes on, whether its person
    /// may log in, and what their rights and their epoch are: so whatever takes tokens back comes either before, and is seen here,
    /// or after, and then takes back what is made of this.
    pub(crate) async fn bearer(&mut self, id: Uuid) -> Result<Option<Account>, sqlx::Error> {
        const SQL: &str = "
            select users.id, email, email_verified, name, password_hash, roles, epoch, disabled, users.created_at
            from sessions join users on users.id = sessions.user_id
            where sessions.id = $1 and sessions.ended_at is null and not users.disabled";
        on!(self.0, conn => sqlx::query_as(SQL).bind(id).fetch_optional(conn).await)
    }

    /// A person's sessions that go on, or have an access token that does, the newest first.
    pub(crate) async fn list(
        &mut self,
        user_id: Uuid,
        now: DateTime<Utc>,
        cursor: Cursor,
        limit: Limit,
    ) -> Result<Vec<OpenSession>, sqlx::Error> {
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

    /// Whether this is one of them.
    pub(crate) async fn has(
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

    /// When the last access token of a person ends, of those that were given out so far.
    pub(crate) async fn last_access_of(
        &mut self,
        user_id: Uuid,
    ) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
        const SQL: &str = "
            select access_expires_at from sessions where user_id = $1 order by access_expires_at desc limit 1";
        on!(self.0, conn => sqlx::query_scalar(SQL).bind(user_id).fetch_optional(conn).await)
    }

    /// Ends a session, if it goes on.
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

    /// Ends a person's sessions that were used least lately, where more than so many go on.
    pub(crate) async fn end_more_than(
        &mut self,
        user_id: Uuid,
        count: i64,
        now: DateTime<Utc>,
    ) -> Result<Vec<EndedSession>, sqlx::Error> {
        const SQL: &str = "
            update sessions set ended_at = $3
            where user_id = $1 and ended_at is null
              and id not in (
                  select id from sessions where user_id = $1 and ended_at is null
                  order by last_used_at desc, id desc limit $2)
            returning id, user_id, access_expires_at";
        on!(self.0, conn => sqlx::query_as(SQL).bind(user_id).bind(count).bind(now).fetch_all(conn).await)
    }

    /// Ends all sessions of a person that go on, perhaps but one.
    pub(crate) async fn end_all_of(
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

/// So many rows of a statement as there are rotations, and some of them again, so that a few lengths are all that there are: each
/// is a statement of its own, which the engine has to prepare.
fn padded(rotations: &[Rotation]) -> impl Iterator<Item = &Rotation> {
    rotations.iter().cycle().take(rotations.len().next_power_of_two())
}

/// The placeholders of these rows, as [`padded`] makes them, after so many others: `($4, $5), ($6, $7)`.
fn rows_of(columns: usize, rotations: usize, after: usize) -> String {
    let row = |row: usize| {
        let placeholders = (1..=columns).map(|column| format!("${}", after + row * columns + column));
        format!("({})", placeholders.collect::<Vec<_>>().join(", "))
    };
    (0..rotations.next_power_of_two())
        .map(row)
        .collect::<Vec<_>>()
        .join(", ")
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
        let new = NewUser {
            id: user_id,
            email: &email,
            name: "Ada",
            password_hash: "",
            roles: "user",
            now,
        };
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
                ip: "",
                user_agent: "",
            };
            Sessions(&mut tx).open(&new).await.unwrap();
            if is_ended {
                let ended = Sessions(&mut tx).end(id, now).await.unwrap().unwrap();
                assert_eq!(
                    (ended.user_id, ended.access_expires_at),
                    (user_id, access_expires_at)
                );
                assert!(
                    Sessions(&mut tx).end(id, now).await.unwrap().is_none(),
                    "it is over"
                );
            }
            tokens.push(token);
        }
        Sessions(&mut tx)
            .forget_old(Uuid::from_u128(2), now, now)
            .await
            .unwrap();
        Sessions(&mut tx)
            .forget_old(user_id, now, now - minutes(10))
            .await
            .unwrap();

        let live = Sessions(&mut tx)
            .find_by_token(&tokens[0])
            .await
            .unwrap()
            .unwrap();
        let end = live.token_expires_at;
        assert!(live.is_live(end - TimeDelta::microseconds(1)) && !live.is_live(end));
        let last = Session {
            token_expires_at: live.expires_at + minutes(1),
            ..live.clone()
        };
        assert!(last.is_live(live.expires_at - TimeDelta::microseconds(1)) && !last.is_live(live.expires_at));

        let mut kept = Vec::new();
        for token in &tokens {
            kept.push(Sessions(&mut tx).find_by_token(token).await.unwrap().is_some());
        }
        assert_eq!(kept, [true, false, false, true, true, false]);
        assert_eq!(
            Sessions(&mut tx).last_access_of(user_id).await.unwrap(),
            Some(now + minutes(15))
        );
        assert_eq!(
            Sessions(&mut tx)
                .last_access_of(Uuid::from_u128(2))
                .await
                .unwrap(),
            None
        );
    }

    #[actix_web::test]
    async fn a_take_over_waits_for_a_login_under_way_and_ends_its_session() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let now = Clock::system().now();
        let later = now + TimeDelta::minutes(15);
        let (id, token) = (Uuid::from_u128(1), RefreshToken::generate().unwrap());
        let email = EmailAddress::parse("ada@example.com").unwrap();
        let new = NewUser {
            id,
            email: &email,
            name: "Ada",
            password_hash: "old",
            roles: "user",
            now,
        };
        let mut tx = db.begin().await.unwrap();
        assert!(Users(&mut tx).add(&new).await.unwrap());
        tx.commit().await.unwrap();

        let mut login = db.begin().await.unwrap();
        assert!(
            Users(&mut login)
                .confirm(id, Some("old"))
                .await
                .unwrap()
                .is_some()
        );
        let mut take_over = Box::pin(async {
            let mut tx = db.begin().await?;
            Users(&mut tx).take_over(id, "new", "user admin", now).await?;
            Sessions(&mut tx).end_all_of(id, None, now).await?;
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
            ip: "",
            user_agent: "",
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
