//! The table `users`.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use service_kit::{Cursor, Limit, text};
use uuid::Uuid;

use crate::domain::{Account, EmailAddress};

/// The columns of an [`Account`], for every statement that returns accounts.
macro_rules! user_columns {
    () => {
        "users.id, users.email, users.email_verified, users.name, users.password_hash, users.password_version, users.roles, \
         users.epoch, users.disabled, users.created_at"
    };
}
pub(super) use user_columns;

pub(crate) struct UserRows<'c>(pub &'c mut Conn);

/// A user to add.
#[derive(Debug)]
pub(crate) struct NewUser<'n> {
    pub id: Uuid,
    pub email: &'n EmailAddress,
    pub name: &'n str,
    /// `None` for a user without a password.
    pub password_hash: Option<&'n str>,
    pub roles: &'n str,
    pub email_verified: bool,
    pub now: DateTime<Utc>,
}

/// Changes to a user; `None` keeps a value.
#[derive(Debug, Default)]
pub(crate) struct UserChange<'n> {
    pub name: Option<&'n str>,
    pub roles: Option<&'n str>,
    pub disabled: Option<bool>,
}

impl UserRows<'_> {
    pub(crate) async fn find(&mut self, id: Uuid) -> Result<Option<Account>, sqlx::Error> {
        const SQL: &str = concat!("select ", user_columns!(), " from users where id = $1");
        on!(self.0, conn => sqlx::query_as(SQL).bind(id).fetch_optional(conn).await)
    }

    /// The account with this address. If several accounts share the comparison key of the address, only the account with the old
    /// key of the address is returned.
    pub(crate) async fn find_by_email(
        &mut self,
        email: &EmailAddress,
    ) -> Result<Option<Account>, sqlx::Error> {
        const SQL: &str = concat!(
            "select ",
            user_columns!(),
            " from users
              where comparison_key = $1
                and (email_key = $2 or not exists (
                    select 1 from users as other where other.comparison_key = $1 and other.id <> users.id))"
        );
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(email.key())
            .bind(email.old_key())
            .fetch_optional(conn)
            .await)
    }

    /// Returns the user if the user is not disabled and still has this version of the password.
    /// The update locks the row until the transaction ends, so that a concurrent change of the user takes effect entirely before
    /// or entirely after this transaction.
    pub(crate) async fn lock_if_unchanged(
        &mut self,
        id: Uuid,
        password_version: i64,
    ) -> Result<Option<Account>, sqlx::Error> {
        const SQL: &str = concat!(
            "update users set updated_at = updated_at
             where id = $1 and password_version = $2 and not disabled
             returning ",
            user_columns!()
        );
        on!(self.0, conn => sqlx::query_as(SQL).bind(id).bind(password_version).fetch_optional(conn).await)
    }

    /// Returns the user, and locks the row like [`lock_if_unchanged`](Self::lock_if_unchanged).
    pub(crate) async fn lock(&mut self, id: Uuid) -> Result<Option<Account>, sqlx::Error> {
        const SQL: &str = concat!(
            "update users set updated_at = updated_at where id = $1 returning ",
            user_columns!()
        );
        on!(self.0, conn => sqlx::query_as(SQL).bind(id).fetch_optional(conn).await)
    }

    /// Whether there is an admin who is not disabled.
    pub(crate) async fn has_active_admin(&mut self) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            select id from users where ' ' || roles || ' ' like '% admin %' and not disabled limit 1";
        on!(self.0, conn => sqlx::query_scalar::<_, Uuid>(SQL).fetch_optional(conn).await.map(|id| id.is_some()))
    }

    /// Adds a user and returns true, or returns false if the email address is taken. The comparison key is not unique, because old
    /// accounts may share a key. Of two concurrent calls with the same key, the second is refused because `email_key` is unique.
    pub(crate) async fn add(&mut self, new: &NewUser<'_>) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            insert into users (id, email, email_key, comparison_key, email_folded, name, name_folded, password_hash,
                               roles, email_verified, created_at, updated_at)
            select $1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, $10
            where not exists (select 1 from users where comparison_key = $3)
            on conflict (email_key) do nothing";
        on!(self.0, conn => Ok(sqlx::query(SQL)
            .bind(new.id)
            .bind(new.email.as_str())
            .bind(new.email.key())
            .bind(text::fold(new.email.as_str()))
            .bind(new.name)
            .bind(text::fold(new.name))
            .bind(new.password_hash)
            .bind(new.roles)
            .bind(new.email_verified)
            .bind(new.now)
            .execute(conn)
            .await?
            .rows_affected() == 1))
    }

    /// Lists users whose email address or name contains `search`, optionally only users with a role, newest first.
    pub(crate) async fn list(
        &mut self,
        search: &str,
        role: Option<&str>,
        cursor: Cursor,
        limit: Limit,
    ) -> Result<Vec<Account>, sqlx::Error> {
        const SQL: &str = concat!(
            "select ",
            user_columns!(),
            r" from users
               where id < $1
                 and (email_folded like $2 escape '\' or comparison_key like $2 escape '\' or name_folded like $2 escape '\')
                 and ' ' || roles || ' ' like $3 escape '\'
               order by id desc limit $4"
        );
        let roles = role.map_or_else(|| "%".to_owned(), |role| format!("% {} %", text::literal(role)));
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(cursor.below())
            .bind(text::containing(search))
            .bind(roles)
            .bind(limit.rows())
            .fetch_all(conn)
            .await)
    }

    /// Changes a user, and returns the changed user.
    pub(crate) async fn change(
        &mut self,
        id: Uuid,
        change: &UserChange<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>, sqlx::Error> {
        const SQL: &str = concat!(
            "update users
             set name = coalesce($2, name), name_folded = coalesce($3, name_folded), roles = coalesce($4, roles),
                 disabled = coalesce($5, disabled), updated_at = $6
             where id = $1
             returning ",
            user_columns!()
        );
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(id)
            .bind(change.name)
            .bind(change.name.map(text::fold))
            .bind(change.roles)
            .bind(change.disabled)
            .bind(now)
            .fetch_optional(conn)
            .await)
    }

    /// Changes the password if it still has the version `checked`. Returns whether it was changed.
    pub(crate) async fn set_password(
        &mut self,
        id: Uuid,
        checked: i64,
        password_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            update users set password_hash = $3, password_version = password_version + 1, updated_at = $4
            where id = $1 and password_version = $2";
        on!(self.0, conn => Ok(sqlx::query(SQL)
            .bind(id)
            .bind(checked)
            .bind(password_hash)
            .bind(now)
            .execute(conn)
            .await?
            .rows_affected() == 1))
    }

    /// Sets the password of a user who has proved to read the mails to the address, which is then verified.
    pub(crate) async fn reset_password(
        &mut self,
        id: Uuid,
        password_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            update users
            set password_hash = $2, password_version = password_version + 1, email_verified = true, updated_at = $3
            where id = $1";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(id)
            .bind(password_hash)
            .bind(now)
            .execute(conn)
            .await
            .map(drop))
    }

    pub(crate) async fn set_email_verified(
        &mut self,
        id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "update users set email_verified = true, updated_at = $2 where id = $1";
        on!(self.0, conn => sqlx::query(SQL).bind(id).bind(now).execute(conn).await.map(drop))
    }

    /// Stores another hash of the same password, if the password still has the version `checked`.
    pub(crate) async fn replace_hash(
        &mut self,
        id: Uuid,
        checked: i64,
        password_hash: &str,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "update users set password_hash = $3 where id = $1 and password_version = $2";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(id)
            .bind(checked)
            .bind(password_hash)
            .execute(conn)
            .await
            .map(drop))
    }

    /// Raises the user's epoch, which revokes the tokens of earlier epochs. Returns the new epoch, or `None` if there is no such
    /// user.
    pub(crate) async fn raise_epoch(
        &mut self,
        id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<i64>, sqlx::Error> {
        const SQL: &str = "update users set epoch = epoch + 1, updated_at = $2 where id = $1 returning epoch";
        on!(self.0, conn => sqlx::query_scalar(SQL).bind(id).bind(now).fetch_optional(conn).await)
    }

    /// Hands a user to the owner of the email address: removes the password, marks the address as verified, and sets the name.
    /// Returns the changed user.
    pub(crate) async fn reclaim(
        &mut self,
        id: Uuid,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>, sqlx::Error> {
        const SQL: &str = concat!(
            "update users
             set password_hash = null, password_version = password_version + 1, email_verified = true, name = $2,
                 name_folded = $3, updated_at = $4
             where id = $1
             returning ",
            user_columns!()
        );
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(id)
            .bind(name)
            .bind(text::fold(name))
            .bind(now)
            .fetch_optional(conn)
            .await)
    }

    pub(crate) async fn delete(&mut self, id: Uuid) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from users where id = $1";
        on!(self.0, conn => sqlx::query(SQL).bind(id).execute(conn).await.map(drop))
    }

    /// Makes an existing user the first admin: sets the password and the roles, enables the user, and verifies the address, for which
    /// the operator vouches.
    pub(crate) async fn make_admin(
        &mut self,
        id: Uuid,
        password_hash: &str,
        roles: &str,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            update users
            set password_hash = $2, password_version = password_version + 1, roles = $3, disabled = false,
                email_verified = true, updated_at = $4
            where id = $1";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(id)
            .bind(password_hash)
            .bind(roles)
            .bind(now)
            .execute(conn)
            .await
            .map(drop))
    }
}

#[cfg(test)]
mod tests {
    use auth::Clock;
    use db::Db;
    use test_kit::TestDatabase;

    use super::*;
    use crate::store::{MIGRATIONS, fixtures};

    #[actix_web::test]
    async fn a_changed_password_has_another_version_and_a_replaced_hash_has_not() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let now = Clock::fixed().now();
        let mut tx = db.begin().await.unwrap();
        let id = fixtures::add_ada(&mut tx, now).await;
        let mut users = UserRows(&mut tx);

        users.replace_hash(id, 0, "renewed").await.unwrap();
        assert!(users.lock_if_unchanged(id, 0).await.unwrap().is_some());
        assert!(users.set_password(id, 0, "changed", now).await.unwrap());

        // The old version no longer has an effect.
        assert!(users.lock_if_unchanged(id, 0).await.unwrap().is_none());
        assert!(!users.set_password(id, 0, "late", now).await.unwrap());
        users.replace_hash(id, 0, "late").await.unwrap();
        let account = users.find(id).await.unwrap().unwrap();
        assert_eq!(
            (account.password_hash.as_deref(), account.password_version),
            (Some("changed"), 1)
        );

        users.make_admin(id, "admin's", "user admin", now).await.unwrap();
        assert!(users.lock_if_unchanged(id, 1).await.unwrap().is_none());
        assert!(users.lock_if_unchanged(id, 2).await.unwrap().is_some());
    }
}
