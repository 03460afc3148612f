//! The table `outbox`: mails that wait, and mails that were sent within the last hour.
//!
//! A worker leases a mail before it sends the mail. A mail without a valid lease is free for every worker. A lease that ends later than
//! a new lease would is not valid: a wrong clock wrote it.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use uuid::Uuid;

use crate::domain::{EmailAddress, MAIL_LEASE, MailKind};

pub(crate) struct OutboxRows<'c>(pub &'c mut Conn);

/// A mail to add.
#[derive(Debug)]
pub(crate) struct NewMail<'n> {
    pub id: Uuid,
    pub kind: MailKind,
    /// The act that caused the mail, in JSON.
    pub data: &'n str,
    pub now: DateTime<Utc>,
}

/// A mail that a worker has leased.
#[derive(sqlx::FromRow)]
pub(crate) struct LeasedMail {
    pub id: Uuid,
    pub kind: MailKind,
    pub user_id: Option<Uuid>,
    /// The address as it was typed, of a requested password reset.
    pub address: Option<String>,
    pub data: String,
    pub created_at: DateTime<Utc>,
    /// The number of failed attempts.
    pub attempts: i64,
    pub lease: Uuid,
}

impl OutboxRows<'_> {
    /// Adds a mail to a user. Does nothing if this mail verifies the address, and another such mail to the user waits already.
    pub(crate) async fn add(&mut self, user_id: Uuid, mail: &NewMail<'_>) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into outbox (id, kind, user_id, data, created_at, next_attempt_at) values ($1, $2, $3, $4, $5, $5)
            on conflict (user_id) where sent_at is null and lease is null and kind = 'verify_email' do nothing";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(mail.id)
            .bind(mail.kind)
            .bind(user_id)
            .bind(mail.data)
            .bind(mail.now)
            .execute(conn)
            .await
            .map(drop))
    }

    /// Adds the mail of a requested password reset, without looking for the user. If a mail to this address waits already, the request
    /// replaces the data of that mail. Either way this writes one row, so it takes the same time for all addresses.
    pub(crate) async fn add_reset(
        &mut self,
        address: &EmailAddress,
        mail: &NewMail<'_>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into outbox (id, kind, address, address_key, data, created_at, next_attempt_at)
            values ($1, $2, $3, $4, $5, $6, $6)
            on conflict (address_key) where sent_at is null and lease is null
            do update set address = excluded.address, data = excluded.data";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(mail.id)
            .bind(mail.kind)
            .bind(address.as_str())
            .bind(address.key())
            .bind(mail.data)
            .bind(mail.now)
            .execute(conn)
            .await
            .map(drop))
    }

    /// The number of mails that wait.
    pub(crate) async fn waiting(&mut self) -> Result<i64, sqlx::Error> {
        const SQL: &str = "select count(*) from outbox where sent_at is null";
        on!(self.0, conn => sqlx::query_scalar(SQL).fetch_one(conn).await)
    }

    /// Deletes the requested password resets for addresses that no enabled user has.
    pub(crate) async fn delete_unknown(&mut self) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            delete from outbox
            where sent_at is null and address_key is not null and not exists (
                select 1 from users where users.comparison_key = outbox.address_key and not users.disabled)";
        on!(self.0, conn => sqlx::query(SQL).execute(conn).await.map(drop))
    }

    /// Leases at most `limit` mails that are due and free, the longest waiting first. The condition is repeated outside the subquery,
    /// where PostgreSQL checks it again after it has waited for another worker. So one of several concurrent workers gets a mail.
    pub(crate) async fn lease_due(
        &mut self,
        now: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<LeasedMail>, sqlx::Error> {
        const SQL: &str = "
            update outbox set lease = $1, leased_until = $3
            where id in (
                select id from outbox
                where sent_at is null and next_attempt_at <= $2
                  and (leased_until is null or leased_until <= $2 or leased_until > $5)
                order by next_attempt_at, id limit $4)
              and sent_at is null and (leased_until is null or leased_until <= $2 or leased_until > $5)
            returning id, kind, user_id, address, data, created_at, attempts, lease";
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(Uuid::new_v4())
            .bind(now)
            .bind(now + MAIL_LEASE)
            .bind(limit)
            // No right clock is that far ahead of this one.
            .bind(now + MAIL_LEASE * 2)
            .fetch_all(conn)
            .await)
    }

    /// How many mails of this kind were sent to the user since this time.
    pub(crate) async fn sent_since(
        &mut self,
        user_id: Uuid,
        kind: MailKind,
        since: DateTime<Utc>,
    ) -> Result<i64, sqlx::Error> {
        const SQL: &str = "select count(*) from outbox where user_id = $1 and kind = $2 and sent_at > $3";
        on!(self.0, conn => sqlx::query_scalar(SQL)
            .bind(user_id)
            .bind(kind)
            .bind(since)
            .fetch_one(conn)
            .await)
    }

    /// Records that a leased mail was sent to this user, and forgets the typed address. Does nothing if the lease is no longer the
    /// caller's, or the mail no longer exists.
    pub(crate) async fn set_sent(
        &mut self,
        mail: &LeasedMail,
        user_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            update outbox
            set sent_at = $4, user_id = $3, address = null, address_key = null, lease = null, leased_until = null
            where id = $1 and lease = $2 and exists (select 1 from users where users.id = $3)";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(mail.id)
            .bind(mail.lease)
            .bind(user_id)
            .bind(now)
            .execute(conn)
            .await
            .map(drop))
    }

    /// Deletes a leased mail if another one that replaces it waits: it was requested while a worker tried to send this one. Returns
    /// whether the mail was deleted.
    pub(crate) async fn delete_if_replaced(&mut self, mail: &LeasedMail) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            delete from outbox
            where id = $1 and lease = $2 and exists (
                select 1 from outbox as newer
                where newer.sent_at is null and newer.lease is null and newer.kind = outbox.kind
                  and (newer.address_key = outbox.address_key
                       or newer.user_id = outbox.user_id and newer.kind = 'verify_email'))";
        on!(self.0, conn => Ok(sqlx::query(SQL)
            .bind(mail.id)
            .bind(mail.lease)
            .execute(conn)
            .await?
            .rows_affected() == 1))
    }

    /// Ends the lease of a mail that no attempt was made to send.
    pub(crate) async fn release(&mut self, mail: &LeasedMail) -> Result<(), sqlx::Error> {
        const SQL: &str = "update outbox set lease = null, leased_until = null where id = $1 and lease = $2";
        on!(self.0, conn => sqlx::query(SQL).bind(mail.id).bind(mail.lease).execute(conn).await.map(drop))
    }

    /// Ends the lease after a failed attempt. The mail is due again at `next`.
    pub(crate) async fn postpone(
        &mut self,
        mail: &LeasedMail,
        next: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            update outbox
            set next_attempt_at = $3, attempts = attempts + 1, lease = null, leased_until = null
            where id = $1 and lease = $2";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(mail.id)
            .bind(mail.lease)
            .bind(next)
            .execute(conn)
            .await
            .map(drop))
    }

    /// Deletes a leased mail that is not sent.
    pub(crate) async fn delete(&mut self, mail: &LeasedMail) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from outbox where id = $1 and lease = $2";
        on!(self.0, conn => sqlx::query(SQL).bind(mail.id).bind(mail.lease).execute(conn).await.map(drop))
    }

    /// Deletes mails that were sent before this time.
    pub(crate) async fn delete_sent(&mut self, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from outbox where sent_at is not null and sent_at <= $1";
        on!(self.0, conn => sqlx::query(SQL).bind(before).execute(conn).await.map(drop))
    }
}

#[cfg(test)]
mod tests {
    use auth::Clock;
    use chrono::TimeDelta;
    use db::{Db, Tx};
    use test_kit::TestDatabase;

    use super::*;
    use crate::store::{MIGRATIONS, fixtures};

    struct Outbox {
        tx: Tx,
        ada: Uuid,
        now: DateTime<Utc>,
        ids: u128,
        _database: TestDatabase,
    }

    impl Outbox {
        async fn new() -> Self {
            let database = TestDatabase::new().await;
            let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
            let now = Clock::fixed().now();
            let mut tx = db.begin().await.unwrap();
            Self {
                ada: fixtures::add_ada(&mut tx, now).await,
                tx,
                now,
                ids: 0,
                _database: database,
            }
        }

        fn rows(&mut self) -> OutboxRows<'_> {
            OutboxRows(&mut self.tx)
        }

        async fn add(&mut self, kind: MailKind, address: Option<&str>) {
            self.ids += 1;
            let (ada, now) = (self.ada, self.now);
            let id = Uuid::from_u128(self.ids);
            let mail = NewMail {
                id,
                kind,
                data: "{}",
                now,
            };
            match address {
                None => self.rows().add(ada, &mail).await.unwrap(),
                Some(address) => {
                    let address = EmailAddress::parse(address).unwrap();
                    self.rows().add_reset(&address, &mail).await.unwrap();
                }
            }
        }

        async fn lease(&mut self, after: TimeDelta, limit: i64) -> Vec<LeasedMail> {
            let now = self.now + after;
            self.rows().lease_due(now, limit).await.unwrap()
        }
    }

    const NO_TIME: TimeDelta = TimeDelta::zero();

    #[actix_web::test]
    async fn a_mail_is_leased_to_one_worker_until_the_lease_ends() {
        let mut outbox = Outbox::new().await;
        for _ in 0..3 {
            outbox.add(MailKind::NewSignIn, None).await;
        }
        assert_eq!(outbox.lease(NO_TIME, 2).await.len(), 2);
        assert_eq!(outbox.lease(NO_TIME, 9).await.len(), 1);
        assert_eq!(
            outbox
                .lease(MAIL_LEASE - TimeDelta::microseconds(1), 9)
                .await
                .len(),
            0
        );
        let expired = outbox.lease(MAIL_LEASE, 9).await;
        assert_eq!(expired.len(), 3);
        // A lease by a wrong clock, two years ahead.
        assert_eq!(outbox.lease(TimeDelta::days(730), 9).await.len(), 3);
        assert_eq!(outbox.lease(NO_TIME, 9).await.len(), 3);
        // The first worker has lost its lease.
        let (ada, now) = (outbox.ada, outbox.now);
        outbox.rows().set_sent(&expired[0], ada, now).await.unwrap();
        outbox.rows().delete(&expired[1]).await.unwrap();
        assert_eq!(outbox.rows().waiting().await.unwrap(), 3);
    }

    #[actix_web::test]
    async fn repeated_requests_share_a_mail_that_waits_and_not_one_that_is_being_sent() {
        let mut outbox = Outbox::new().await;
        for _ in 0..2 {
            outbox.add(MailKind::VerifyEmail, None).await;
            outbox.add(MailKind::ResetPassword, Some("ada@example.com")).await;
            outbox.add(MailKind::ResetPassword, Some("ADA@example.com")).await;
            outbox.add(MailKind::PasswordChanged, None).await;
        }
        assert_eq!(outbox.rows().waiting().await.unwrap(), 4);
        let leased = outbox.lease(NO_TIME, 9).await;
        assert_eq!(leased.len(), 4);
        outbox.add(MailKind::VerifyEmail, None).await;
        outbox.add(MailKind::ResetPassword, Some("ada@example.com")).await;
        assert_eq!(outbox.rows().waiting().await.unwrap(), 6);

        // Of the mails that could not be sent, those that were requested again go.
        let mut deleted = 0;
        for mail in &leased {
            if outbox.rows().delete_if_replaced(mail).await.unwrap() {
                deleted += 1;
            } else {
                outbox.rows().release(mail).await.unwrap();
            }
        }
        assert_eq!(deleted, 2);
        assert_eq!(outbox.lease(NO_TIME, 9).await.len(), 4);
    }

    #[actix_web::test]
    async fn requests_for_unknown_addresses_are_deleted_and_sent_mails_forget_the_address() {
        let mut outbox = Outbox::new().await;
        outbox.add(MailKind::ResetPassword, Some("ada@example.com")).await;
        outbox
            .add(MailKind::ResetPassword, Some("unknown@example.com"))
            .await;
        outbox.rows().delete_unknown().await.unwrap();
        let leased = outbox.lease(NO_TIME, 9).await;
        assert_eq!(leased.len(), 1);
        assert_eq!(leased[0].address.as_deref(), Some("ada@example.com"));
        let (ada, now) = (outbox.ada, outbox.now);
        outbox.rows().set_sent(&leased[0], ada, now).await.unwrap();
        assert_eq!(outbox.rows().waiting().await.unwrap(), 0);
        let sent = async |outbox: &mut Outbox, since| {
            outbox
                .rows()
                .sent_since(ada, MailKind::ResetPassword, since)
                .await
                .unwrap()
        };
        assert_eq!(sent(&mut outbox, now - TimeDelta::seconds(1)).await, 1);
        assert_eq!(sent(&mut outbox, now).await, 0);
        outbox.rows().delete_sent(now).await.unwrap();
        assert_eq!(sent(&mut outbox, now - TimeDelta::seconds(1)).await, 0);
    }
}
