//! The table `outbox`: mails that wait, and mails that were sent within the last hour.
//!
//! A worker leases a mail before it sends the mail. A mail without a valid lease is free for every worker. A lease that ends later than
//! a new lease would is not valid: a wrong clock wrote it.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use uuid::Uuid;

use crate::domain::{EmailAddress, MAIL_LEASE, MAX_CLOCK_DIFFERENCE, MailKind, SHORT_DELAY};

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

/// A number of requested password resets.
#[derive(Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Resets {
    pub number: i64,
    /// The last address key. `None` if there are none.
    pub last: Option<String>,
    /// How many of them are for addresses that no enabled user has.
    pub unknown: i64,
}

impl OutboxRows<'_> {
    /// Adds a mail to a user. If this mail verifies the address, and another such mail to the user waits already, that mail becomes the
    /// new one, and is due within a minute.
    pub(crate) async fn add(&mut self, user_id: Uuid, mail: &NewMail<'_>) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into outbox (id, kind, user_id, data, created_at, next_attempt_at) values ($1, $2, $3, $4, $5, $5)
            on conflict (user_id) where sent_at is null and lease is null and kind = 'verify_email'
            do update set data = excluded.data, created_at = excluded.created_at, attempts = 0,
                next_attempt_at = case when outbox.next_attempt_at > $6 then $6 else outbox.next_attempt_at end";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(mail.id)
            .bind(mail.kind)
            .bind(user_id)
            .bind(mail.data)
            .bind(mail.now)
            .bind(mail.now + SHORT_DELAY)
            .execute(conn)
            .await
            .map(drop))
    }

    /// Adds the mail of a requested password reset, without looking for the user. If a mail to this address waits already, that mail
    /// becomes the new one, and is due within a minute. Either way this writes one row, so it takes the same time for all addresses.
    pub(crate) async fn add_reset(
        &mut self,
        address: &EmailAddress,
        mail: &NewMail<'_>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into outbox (id, kind, address, address_key, data, created_at, next_attempt_at)
            values ($1, $2, $3, $4, $5, $6, $6)
            on conflict (address_key) where sent_at is null and lease is null
            do update set address = excluded.address, data = excluded.data, created_at = excluded.created_at, attempts = 0,
                next_attempt_at = case when outbox.next_attempt_at > $7 then $7 else outbox.next_attempt_at end";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(mail.id)
            .bind(mail.kind)
            .bind(address.as_str())
            .bind(address.key())
            .bind(mail.data)
            .bind(mail.now)
            .bind(mail.now + SHORT_DELAY)
            .execute(conn)
            .await
            .map(drop))
    }

    /// The number of mails that wait.
    pub(crate) async fn waiting(&mut self) -> Result<i64, sqlx::Error> {
        const SQL: &str = "select count(*) from outbox where sent_at is null";
        on!(self.0, conn => sqlx::query_scalar(SQL).fetch_one(conn).await)
    }

    /// Looks at up to `limit` requested password resets that no worker has leased, by address, beginning after this address key.
    pub(crate) async fn resets_after(&mut self, after: &str, limit: i64) -> Result<Resets, sqlx::Error> {
        const SQL: &str = "
            select count(*) as number, max(address_key) as last, coalesce(sum(is_unknown), 0) as unknown
            from (
                select address_key, case when exists (
                    select 1 from users where users.comparison_key = outbox.address_key and not users.disabled
                ) then 0 else 1 end as is_unknown
                from outbox
                where sent_at is null and lease is null and address_key > $1
                order by address_key limit $2) as resets";
        on!(self.0, conn => sqlx::query_as(SQL).bind(after).bind(limit).fetch_one(conn).await)
    }

    /// Deletes the requested password resets to these addresses that no enabled user has: those after `after` up to `last`, by key.
    pub(crate) async fn delete_unknown(&mut self, after: &str, last: &str) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            delete from outbox
            where sent_at is null and lease is null and address_key > $1 and address_key <= $2 and not exists (
                select 1 from users where users.comparison_key = outbox.address_key and not users.disabled)";
        on!(self.0, conn => sqlx::query(SQL).bind(after).bind(last).execute(conn).await.map(drop))
    }

    /// Deletes the requested password resets to a user's address that were not sent.
    pub(crate) async fn delete_unsent_resets(&mut self, user_id: Uuid) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            delete from outbox
            where sent_at is null and kind = 'reset_password'
              and address_key = (select comparison_key from users where id = $1)";
        on!(self.0, conn => sqlx::query(SQL).bind(user_id).execute(conn).await.map(drop))
    }

    /// Whether a mail is due and free.
    pub(crate) async fn has_due(&mut self, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            select 1 from outbox
            where sent_at is null and next_attempt_at <= $1
              and (leased_until is null or leased_until <= $1 or leased_until > $2)
            limit 1";
        on!(self.0, conn => Ok(sqlx::query(SQL)
            .bind(now)
            .bind(latest_lease(now))
            .fetch_optional(conn)
            .await?
            .is_some()))
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
            .bind(latest_lease(now))
            .fetch_all(conn)
            .await)
    }

    /// Whether the caller still has the lease of a mail. False if the mail was deleted.
    pub(crate) async fn is_leased(&mut self, mail: &LeasedMail) -> Result<bool, sqlx::Error> {
        const SQL: &str = "select 1 from outbox where id = $1 and lease = $2";
        on!(self.0, conn => Ok(sqlx::query(SQL)
            .bind(mail.id)
            .bind(mail.lease)
            .fetch_optional(conn)
            .await?
            .is_some()))
    }

    /// How many mails of this kind the user gets before this one: those that were sent since this time, and those that workers have
    /// leased and that are older than this one.
    pub(crate) async fn count_before(
        &mut self,
        mail: &LeasedMail,
        user_id: Uuid,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<i64, sqlx::Error> {
        const SQL: &str = "
            select count(*) from outbox
            where user_id = $1 and kind = $2
              and (sent_at > $3 and sent_at <= $4 or lease is not null and id < $5)";
        on!(self.0, conn => sqlx::query_scalar(SQL)
            .bind(user_id)
            .bind(mail.kind)
            .bind(since)
            // A mail that was sent later was sent by a worker with a wrong clock.
            .bind(now + MAX_CLOCK_DIFFERENCE)
            .bind(mail.id)
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

    /// The mail that replaces a leased one: it was requested while a worker tried to send the leased one, and waits.
    pub(crate) async fn find_replacement(&mut self, mail: &LeasedMail) -> Result<Option<Uuid>, sqlx::Error> {
        const RESET: &str = "
            select newer.id from outbox as newer
            where newer.sent_at is null and newer.lease is null
              and newer.address_key = (select address_key from outbox where id = $1 and lease = $2)";
        const VERIFICATION: &str = "
            select newer.id from outbox as newer
            where newer.sent_at is null and newer.lease is null and newer.kind = 'verify_email'
              and newer.user_id = (select user_id from outbox where id = $1 and lease = $2)";
        let sql = match mail.kind {
            MailKind::ResetPassword => RESET,
            MailKind::VerifyEmail => VERIFICATION,
            MailKind::PasswordChanged | MailKind::NewSignIn | MailKind::IdentityLinked => return Ok(None),
        };
        on!(self.0, conn => sqlx::query_scalar(sql)
            .bind(mail.id)
            .bind(mail.lease)
            .fetch_optional(conn)
            .await)
    }

    /// Lets a mail that no worker has leased wait until this time.
    pub(crate) async fn set_not_before(
        &mut self,
        id: Uuid,
        not_before: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            update outbox set next_attempt_at = $2
            where id = $1 and sent_at is null and lease is null and next_attempt_at < $2";
        on!(self.0, conn => sqlx::query(SQL).bind(id).bind(not_before).execute(conn).await.map(drop))
    }

    /// Renews the lease of a mail that is being sent. Does nothing if the lease is no longer the caller's.
    pub(crate) async fn renew_lease(
        &mut self,
        mail: &LeasedMail,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "update outbox set leased_until = $3 where id = $1 and lease = $2";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(mail.id)
            .bind(mail.lease)
            .bind(now + MAIL_LEASE)
            .execute(conn)
            .await
            .map(drop))
    }

    /// Ends the lease of a mail that no attempt was made to send.
    pub(crate) async fn release(&mut self, mail: &LeasedMail) -> Result<(), sqlx::Error> {
        const SQL: &str = "update outbox set lease = null, leased_until = null where id = $1 and lease = $2";
        on!(self.0, conn => sqlx::query(SQL).bind(mail.id).bind(mail.lease).execute(conn).await.map(drop))
    }

    /// Ends the lease of a mail that was not sent. The mail is due again at `next`, after this number of failed attempts.
    pub(crate) async fn postpone(
        &mut self,
        mail: &LeasedMail,
        attempts: i64,
        next: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            update outbox
            set next_attempt_at = $3, attempts = $4, lease = null, leased_until = null
            where id = $1 and lease = $2";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(mail.id)
            .bind(mail.lease)
            .bind(next)
            .bind(attempts)
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

/// No right clock is so far from this one that a valid lease ends later.
fn latest_lease(now: DateTime<Utc>) -> DateTime<Utc> {
    now + MAIL_LEASE + MAX_CLOCK_DIFFERENCE
}

#[cfg(test)]
mod tests;
