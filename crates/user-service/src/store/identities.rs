//! The table `identities`: accounts of OpenID providers, and the users who log in with them.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use service_kit::{Cursor, Limit};
use uuid::Uuid;

use super::users::user_columns;
use crate::domain::{Account, EmailAddress, Identity, ProviderAccount};

pub(crate) struct IdentityRows<'c>(pub &'c mut Conn);

/// An account of a provider to link to a user.
#[derive(Debug)]
pub(crate) struct NewIdentity<'n> {
    pub id: Uuid,
    pub user_id: Uuid,
    /// The name of the provider.
    pub provider: &'n str,
    pub account: &'n ProviderAccount,
    pub now: DateTime<Utc>,
}

impl IdentityRows<'_> {
    /// Adds an identity and returns true, or returns false if the account is linked already.
    pub(crate) async fn add(&mut self, new: &NewIdentity<'_>) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            insert into identities (id, user_id, provider, issuer, subject, email, created_at, last_used_at)
            values ($1, $2, $3, $4, $5, $6, $7, $7)
            on conflict (issuer, subject) do nothing";
        on!(self.0, conn => Ok(sqlx::query(SQL)
            .bind(new.id)
            .bind(new.user_id)
            .bind(new.provider)
            .bind(&new.account.issuer)
            .bind(&new.account.subject)
            .bind(new.account.email.as_ref().map(EmailAddress::as_str))
            .bind(new.now)
            .execute(conn)
            .await?
            .rows_affected() == 1))
    }

    /// The user who is linked to this account of a provider.
    pub(crate) async fn find_user(
        &mut self,
        account: &ProviderAccount,
    ) -> Result<Option<Account>, sqlx::Error> {
        const SQL: &str = concat!(
            "select ",
            user_columns!(),
            " from identities join users on users.id = identities.user_id
              where identities.issuer = $1 and identities.subject = $2"
        );
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(&account.issuer)
            .bind(&account.subject)
            .fetch_optional(conn)
            .await)
    }

    /// Stores the time of a login with this account and the address that the account has now. Returns false if the account is not
    /// linked to this user.
    pub(crate) async fn record_use(
        &mut self,
        user_id: Uuid,
        account: &ProviderAccount,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            update identities set last_used_at = $4, email = $5
            where issuer = $1 and subject = $2 and user_id = $3";
        on!(self.0, conn => Ok(sqlx::query(SQL)
            .bind(&account.issuer)
            .bind(&account.subject)
            .bind(user_id)
            .bind(now)
            .bind(account.email.as_ref().map(EmailAddress::as_str))
            .execute(conn)
            .await?
            .rows_affected() == 1))
    }

    /// The user's identity with this account of a provider.
    pub(crate) async fn find_linked(
        &mut self,
        user_id: Uuid,
        account: &ProviderAccount,
    ) -> Result<Option<Identity>, sqlx::Error> {
        const SQL: &str = "
            select id, provider, email, created_at, last_used_at
            from identities where issuer = $1 and subject = $2 and user_id = $3";
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(&account.issuer)
            .bind(&account.subject)
            .bind(user_id)
            .fetch_optional(conn)
            .await)
    }

    /// The user's identities, newest first.
    pub(crate) async fn list(
        &mut self,
        user_id: Uuid,
        cursor: Cursor,
        limit: Limit,
    ) -> Result<Vec<Identity>, sqlx::Error> {
        const SQL: &str = "
            select id, provider, email, created_at, last_used_at
            from identities where user_id = $1 and id < $2 order by id desc limit $3";
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(user_id)
            .bind(cursor.below())
            .bind(limit.rows())
            .fetch_all(conn)
            .await)
    }

    /// The names of the providers of the user's identities.
    pub(crate) async fn providers(&mut self, user_id: Uuid) -> Result<Vec<String>, sqlx::Error> {
        const SQL: &str = "select distinct provider from identities where user_id = $1";
        on!(self.0, conn => sqlx::query_scalar(SQL).bind(user_id).fetch_all(conn).await)
    }

    /// Deletes an identity of the user, and returns the name of its provider.
    pub(crate) async fn delete(&mut self, user_id: Uuid, id: Uuid) -> Result<Option<String>, sqlx::Error> {
        const SQL: &str = "delete from identities where id = $2 and user_id = $1 returning provider";
        on!(self.0, conn => sqlx::query_scalar(SQL).bind(user_id).bind(id).fetch_optional(conn).await)
    }

    /// Deletes all identities of the user.
    pub(crate) async fn delete_all(&mut self, user_id: Uuid) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from identities where user_id = $1";
        on!(self.0, conn => sqlx::query(SQL).bind(user_id).execute(conn).await.map(drop))
    }
}
