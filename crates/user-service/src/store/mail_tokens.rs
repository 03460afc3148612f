//! The table `mail_tokens`: the hashes of the tokens in the links of mails.
//!
//! A token is valid for an enabled user who still has the address to which the mail was sent.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use uuid::Uuid;

use super::users::user_columns;
use crate::domain::{Account, MAX_CLOCK_DIFFERENCE, MAX_LINKED_MAILS, MailToken, TokenPurpose};

pub(crate) struct MailTokenRows<'c>(pub &'c mut Conn);

impl MailTokenRows<'_> {
    /// Stores a token in the link of a mail to a user. If the links of too many mails work, deletes the tokens of the oldest mails. A mail
    /// that was often tried again counts once, so that its tokens displace none of other mails.
    pub(crate) async fn add(
        &mut self,
        token: &MailToken,
        user_id: Uuid,
        purpose: TokenPurpose,
        mail_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const ADD: &str = "
            insert into mail_tokens (token_hash, user_id, purpose, email_key, created_at, expires_at, mail_id)
            select $1, id, $3, coalesce(comparison_key, email_key), $4, $5, $6 from users where id = $2";
        // Tokens of an earlier version have no mail, and only expire.
        const PRUNE: &str = "
            delete from mail_tokens
            where user_id = $1 and purpose = $2 and mail_id <> $3 and mail_id not in (
                select mail_id from mail_tokens where user_id = $1 and purpose = $2 and mail_id <> $3
                group by mail_id order by max(created_at) desc, mail_id desc limit $4)";
        on!(self.0, conn => {
            sqlx::query(ADD)
                .bind(token.hash().as_slice())
                .bind(user_id)
                .bind(purpose)
                .bind(now)
                .bind(now + purpose.lifetime())
                .bind(mail_id)
                .execute(&mut *conn)
                .await?;
            sqlx::query(PRUNE)
                .bind(user_id)
                .bind(purpose)
                .bind(mail_id)
                .bind(MAX_LINKED_MAILS - 1)
                .execute(conn)
                .await
                .map(drop)
        })
    }

    /// The number of mails to a user, other than this one, with links of this purpose that were made since this time and are not spent.
    pub(crate) async fn count_other_mails(
        &mut self,
        mail_id: Uuid,
        user_id: Uuid,
        purpose: TokenPurpose,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<i64, sqlx::Error> {
        const SQL: &str = "
            select count(distinct mail_id) from mail_tokens
            where user_id = $1 and purpose = $2 and mail_id <> $3 and created_at > $4 and created_at <= $5";
        on!(self.0, conn => sqlx::query_scalar(SQL)
            .bind(user_id)
            .bind(purpose)
            .bind(mail_id)
            .bind(since)
            // A token that is newer was made by a wrong clock.
            .bind(now + MAX_CLOCK_DIFFERENCE)
            .fetch_one(conn)
            .await)
    }

    /// The user of a valid token.
    pub(crate) async fn find(
        &mut self,
        token: &MailToken,
        purpose: TokenPurpose,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>, sqlx::Error> {
        const SQL: &str = concat!(
            "select ",
            user_columns!(),
            " from mail_tokens join users on users.id = mail_tokens.user_id
              where token_hash = $1 and purpose = $2 and expires_at > $3 and not users.disabled
                and mail_tokens.email_key = coalesce(users.comparison_key, users.email_key)"
        );
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(token.hash().as_slice())
            .bind(purpose)
            .bind(now)
            .fetch_optional(conn)
            .await)
    }

    /// Deletes a token, and returns whether it existed. Of several concurrent calls, one succeeds.
    pub(crate) async fn spend(&mut self, token: &MailToken) -> Result<bool, sqlx::Error> {
        const SQL: &str = "delete from mail_tokens where token_hash = $1";
        on!(self.0, conn => Ok(sqlx::query(SQL)
            .bind(token.hash().as_slice())
            .execute(conn)
            .await?
            .rows_affected() == 1))
    }

    /// Deletes all tokens of a user of this purpose.
    pub(crate) async fn delete_of(
        &mut self,
        user_id: Uuid,
        purpose: TokenPurpose,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from mail_tokens where user_id = $1 and purpose = $2";
        on!(self.0, conn => sqlx::query(SQL).bind(user_id).bind(purpose).execute(conn).await.map(drop))
    }

    pub(crate) async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from mail_tokens where expires_at <= $1";
        on!(self.0, conn => sqlx::query(SQL).bind(now).execute(conn).await.map(drop))
    }
}

#[cfg(test)]
mod tests {
    use auth::Clock;
    use chrono::TimeDelta;
    use db::Db;
    use test_kit::TestDatabase;

    use super::*;
    use crate::store::{MIGRATIONS, fixtures};

    const RESET: TokenPurpose = TokenPurpose::ResetPassword;
    const MAIL: Uuid = Uuid::from_u128(7);

    #[actix_web::test]
    async fn a_token_is_valid_for_its_purpose_until_it_expires_or_is_spent() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let now = Clock::fixed().now();
        let mut tx = db.begin().await.unwrap();
        let ada = fixtures::add_ada(&mut tx, now).await;
        let mut tokens = MailTokenRows(&mut tx);
        let token = MailToken::generate().unwrap();
        tokens.add(&token, ada, RESET, MAIL, now).await.unwrap();

        let end = now + RESET.lifetime();
        let before = end - TimeDelta::microseconds(1);
        assert_eq!(tokens.find(&token, RESET, before).await.unwrap().unwrap().id, ada);
        assert!(tokens.find(&token, RESET, end).await.unwrap().is_none());
        let other = TokenPurpose::VerifyEmail;
        assert!(tokens.find(&token, other, now).await.unwrap().is_none());
        tokens.delete_expired(before).await.unwrap();
        assert!(tokens.spend(&token).await.unwrap());
        assert!(!tokens.spend(&token).await.unwrap());
    }

    #[actix_web::test]
    async fn a_token_is_invalid_once_its_user_has_another_address() {
        const SQL: &str = "update users set comparison_key = 'new@example.com' where id = $1";
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let now = Clock::fixed().now();
        let mut tx = db.begin().await.unwrap();
        let ada = fixtures::add_ada(&mut tx, now).await;
        let token = MailToken::generate().unwrap();
        MailTokenRows(&mut tx)
            .add(&token, ada, RESET, MAIL, now)
            .await
            .unwrap();
        assert!(
            MailTokenRows(&mut tx)
                .find(&token, RESET, now)
                .await
                .unwrap()
                .is_some()
        );
        on!(tx, conn => sqlx::query(SQL).bind(ada).execute(conn).await.map(drop)).unwrap();
        assert!(
            MailTokenRows(&mut tx)
                .find(&token, RESET, now)
                .await
                .unwrap()
                .is_none()
        );
    }

    #[actix_web::test]
    async fn a_mail_that_was_often_tried_again_displaces_no_links_of_other_mails() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let now = Clock::fixed().now();
        let mut tx = db.begin().await.unwrap();
        let ada = fixtures::add_ada(&mut tx, now).await;
        let mut tokens = MailTokenRows(&mut tx);
        let mut first_of_mail = Vec::new();
        // The third mail is tried seven times.
        for (second, mail) in [1, 2, 3, 3, 3, 3, 3, 3, 3, 4, 5].into_iter().enumerate() {
            let token = MailToken::generate().unwrap();
            let at = now + TimeDelta::seconds(i64::try_from(second).unwrap());
            tokens
                .add(&token, ada, RESET, Uuid::from_u128(mail), at)
                .await
                .unwrap();
            if first_of_mail.len() < usize::try_from(mail).unwrap() {
                first_of_mail.push(token);
            }
        }
        let end = now + TimeDelta::minutes(1);
        let others = async |tokens: &mut MailTokenRows<'_>, mail, since| {
            let mail = Uuid::from_u128(mail);
            tokens
                .count_other_mails(mail, ada, RESET, since, end)
                .await
                .unwrap()
        };
        let before = now - TimeDelta::seconds(1);
        assert_eq!(others(&mut tokens, 3, before).await, 4);
        assert_eq!(others(&mut tokens, 6, before).await, 5);
        assert_eq!(others(&mut tokens, 6, now + TimeDelta::seconds(8)).await, 2);
        // The clock of the worker that made these links was an hour ahead.
        assert_eq!(
            tokens
                .count_other_mails(Uuid::from_u128(6), ada, RESET, before, now - TimeDelta::hours(1))
                .await
                .unwrap(),
            0
        );

        // The links of a sixth mail replace those of the first.
        let sixth = MailToken::generate().unwrap();
        tokens
            .add(&sixth, ada, RESET, Uuid::from_u128(6), end)
            .await
            .unwrap();
        first_of_mail.push(sixth);
        for (index, token) in first_of_mail.iter().enumerate() {
            let is_valid = tokens.find(token, RESET, end).await.unwrap().is_some();
            assert_eq!(is_valid, index > 0, "mail {}", index + 1);
        }
    }
}
