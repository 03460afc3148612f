//! The columns of the table `users` by which email addresses are compared and searched: `email_key` (unique; the comparison
//! key, or the old key of an old account), `comparison_key` (may be shared by old accounts) and `email_folded` (for searches).

use db::{Conn, on};
use uuid::Uuid;

pub(crate) struct EmailKeyRows<'c>(pub &'c mut Conn);

/// An account without a comparison key.
#[derive(sqlx::FromRow)]
pub(crate) struct AccountWithoutComparisonKey {
    pub id: Uuid,
    pub email: String,
    /// The old key.
    pub email_key: String,
}

/// The columns of an account that SQL can't compute.
pub(crate) struct ComputedColumns {
    pub id: Uuid,
    /// See [`EmailAddress::key`](crate::domain::EmailAddress::key).
    pub comparison_key: String,
    /// The case-folded address, in which searches look.
    pub email_folded: String,
}

impl EmailKeyRows<'_> {
    /// At most `limit` accounts without a comparison key.
    pub(crate) async fn missing(
        &mut self,
        limit: i64,
    ) -> Result<Vec<AccountWithoutComparisonKey>, sqlx::Error> {
        const SQL: &str = "
            select id, email, email_key from users where comparison_key is null order by id limit $1";
        on!(self.0, conn => sqlx::query_as(SQL).bind(limit).fetch_all(conn).await)
    }

    /// Fills in the columns. An account that already has a comparison key stays as it is.
    pub(crate) async fn fill(&mut self, computed: &[ComputedColumns]) -> Result<(), sqlx::Error> {
        if computed.is_empty() {
            return Ok(());
        }
        on!(self.0, conn => sqlx::QueryBuilder::new("with filled (id, comparison_key, email_folded) as (")
            .push_values(computed, |mut row, account| {
                row.push_bind(account.id).push_bind(&account.comparison_key).push_bind(&account.email_folded);
            })
            .push(
                ") update users
                   set comparison_key = filled.comparison_key, email_folded = filled.email_folded
                   from filled where users.id = filled.id and users.comparison_key is null",
            )
            .build()
            .execute(conn)
            .await
            .map(drop))
    }

    /// Sets `email_key` to the comparison key for at most `limit` accounts, and returns the number of changed accounts. Skips an
    /// account if its comparison key is also the comparison key of another account, or is the `email_key` of another account.
    pub(crate) async fn replace_old(&mut self, limit: i64) -> Result<u64, sqlx::Error> {
        const SQL: &str = "
            update users set email_key = comparison_key
            where email_key <> comparison_key and id in (
                select id from users as candidate
                where email_key <> comparison_key
                  and not exists (
                      select 1 from users as other
                      where other.comparison_key = candidate.comparison_key and other.id <> candidate.id)
                  and not exists (select 1 from users as other where other.email_key = candidate.comparison_key)
                order by id limit $1)";
        on!(self.0, conn => sqlx::query(SQL).bind(limit).execute(conn).await.map(|done| done.rows_affected()))
    }

    /// Comparison keys and ids of the accounts that share a comparison key, ordered by key, at most `limit`.
    pub(crate) async fn shared(&mut self, limit: i64) -> Result<Vec<(String, Uuid)>, sqlx::Error> {
        // If accounts share a comparison key, at most one of them has it as its `email_key`, which is unique. So the condition
        // `email_key <> comparison_key` finds every shared key, without reading all accounts.
        const SQL: &str = "
            select comparison_key, id from users
            where comparison_key in (select comparison_key from users where email_key <> comparison_key)
              and exists (
                  select 1 from users as other
                  where other.comparison_key = users.comparison_key and other.id <> users.id)
            order by comparison_key, id limit $1";
        on!(self.0, conn => sqlx::query_as(SQL).bind(limit).fetch_all(conn).await)
    }
}
