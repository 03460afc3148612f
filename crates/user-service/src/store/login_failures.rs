//! The table `login_failures`: when the counted failures of an account from a network expire (the column `fades_at`). Times are in
//! microseconds since 1970.

use db::{Conn, on};

use crate::domain::{Allowance, Network};

pub(crate) struct LoginFailureRows<'c>(pub &'c mut Conn);

impl LoginFailureRows<'_> {
    /// Records a failure and returns when all failures will have expired. Returns `None` if the allowance is used up. A single
    /// statement reads and writes, so concurrent attempts can't exceed the allowance.
    pub(crate) async fn record(
        &mut self,
        account: &[u8; 32],
        network: &Network,
        allowance: Allowance,
        now: i64,
    ) -> Result<Option<i64>, sqlx::Error> {
        const SQL: &str = "
            insert into login_failures (account, network, fades_at) values ($1, $2, $3 + $4)
            on conflict (account, network) do update
            set fades_at = $4 + case when login_failures.fades_at > $3 then login_failures.fades_at else $3 end
            where login_failures.fades_at + $4 <= $5
            returning fades_at";
        on!(self.0, conn => sqlx::query_scalar(SQL)
            .bind(account.as_slice())
            .bind(network.as_str())
            .bind(now)
            .bind(allowance.failure_cost())
            .bind(Allowance::latest_expiry(now))
            .fetch_optional(conn)
            .await)
    }

    /// When all counted failures will have expired; 0 if there are none.
    pub(crate) async fn failures_expire_at(
        &mut self,
        account: &[u8; 32],
        network: &Network,
    ) -> Result<i64, sqlx::Error> {
        const SQL: &str = "select fades_at from login_failures where account = $1 and network = $2";
        let expire_at = on!(self.0, conn => sqlx::query_scalar(SQL)
            .bind(account.as_slice())
            .bind(network.as_str())
            .fetch_optional(conn)
            .await)?;
        Ok(expire_at.unwrap_or_default())
    }

    /// Removes one counted failure.
    pub(crate) async fn refund(
        &mut self,
        account: &[u8; 32],
        network: &Network,
        allowance: Allowance,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str =
            "update login_failures set fades_at = fades_at - $3 where account = $1 and network = $2";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(account.as_slice())
            .bind(network.as_str())
            .bind(allowance.failure_cost())
            .execute(conn)
            .await
            .map(drop))
    }

    /// Deletes rows whose failures have all expired.
    pub(crate) async fn delete_expired(&mut self, now: i64) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from login_failures where fades_at < $1";
        on!(self.0, conn => sqlx::query(SQL).bind(now).execute(conn).await.map(drop))
    }
}
