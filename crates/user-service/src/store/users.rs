//! The table `users`.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use uuid::Uuid;

use crate::domain::{Account, EmailAddress};

pub(crate) struct Users<'c>(pub &'c mut Conn);

/// A person to add.
#[derive(Debug)]
pub(crate) struct NewUser<'n> {
    pub id: Uuid,
    pub email: &'n EmailAddress,
    pub name: &'n str,
    pub password_hash: &'n str,
    pub roles: &'n str,
    pub now: DateTime<Utc>,
}

impl Users<'_> {
    pub(crate) async fn find(&mut self, id: Uuid) -> Result<Option<Account>, sqlx::Error> {
        const SQL: &str = "
            select id, email, email_verified, name, password_hash, roles, epoch, disabled, created_at
            from users where id = $1";
        on!(self.0, conn => sqlx::query_as(SQL).bind(id).fetch_optional(conn).await)
    }

    pub(crate) async fn find_by_email(
        &mut self,
        email: &EmailAddress,
    ) -> Result<Option<Account>, sqlx::Error> {
        const SQL: &str = "
            select id, email, email_verified, name, password_hash, roles, epoch, disabled, created_at
            from users where email_key = $1";
        on!(self.0, conn => sqlx::query_as(SQL).bind(email.key()).fetch_optional(conn).await)
    }

    /// The person, if they may log in and this is still the hash of their password. It holds on to the row until the transaction
    /// ends, so that whatever changes either of it comes wholly before or wholly after.
    pub(crate) async fn confirm(
        &mut self,
        id: Uuid,
        password_hash: Option<&str>,
    ) -> Result<Option<Account>, sqlx::Error> {
        const SQL: &str = "
            update users set updated_at = updated_at
            where id = $1 and password_hash = $2 and not disabled
            returning id, email, email_verified, name, password_hash, roles, epoch, disabled, created_at";
        on!(self.0, conn => sqlx::query_as(SQL).bind(id).bind(password_hash).fetch_optional(conn).await)
    }

    /// Whether anybody is an admin who can log in.
    pub(crate) async fn has_admin(&mut self) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            select count(*) from users where ' ' || roles || ' ' like '% admin %' and not disabled";
        on!(self.0, conn => sqlx::query_scalar::<_, i64>(SQL).fetch_one(conn).await.map(|count| count > 0))
    }

    /// Adds somebody, unless the address is taken; says whether it was free.
    pub(crate) async fn add(&mut self, new: &NewUser<'_>) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            insert into users (id, email, email_key, name, password_hash, roles, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $7)
            on conflict (email_key) do nothing";
        on!(self.0, conn => Ok(sqlx::query(SQL)
            .bind(new.id)
            .bind(new.email.as_str())
            .bind(new.email.key())
            .bind(new.name)
            .bind(new.password_hash)
            .bind(new.roles)
            .bind(new.now)
            .execute(conn)
            .await?
            .rows_affected() == 1))
    }

    pub(crate) async fn rename(
        &mut self,
        id: Uuid,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>, sqlx::Error> {
        const SQL: &str = "
            update users set name = $2, updated_at = $3 where id = $1
            returning id, email, email_verified, name, password_hash, roles, epoch, disabled, created_at";
        on!(self.0, conn => sqlx::query_as(SQL).bind(id).bind(name).bind(now).fetch_optional(conn).await)
    }

    /// Makes somebody who is there an admin with this password, and takes back every token that they had.
    pub(crate) async fn take_over(
        &mut self,
        email: &EmailAddress,
        password_hash: &str,
        roles: &str,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            update users
            set password_hash = $2, roles = $3, disabled = false, epoch = epoch + 1, updated_at = $4
            where email_key = $1";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(email.key())
            .bind(password_hash)
            .bind(roles)
            .bind(now)
            .execute(conn)
            .await
            .map(drop))
    }
}
