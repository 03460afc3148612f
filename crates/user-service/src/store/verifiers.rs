//! The table `verifiers`: the verifiers that follow the revocation feed, and the keys that they hold.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use uuid::Uuid;

use crate::domain::KnownVerifier;

pub(crate) struct VerifierRows<'c>(pub &'c mut Conn);

impl VerifierRows<'_> {
    /// Records that a verifier follows the feed. Its keys stay as they are known.
    pub(crate) async fn see(
        &mut self,
        service: &str,
        instance: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into verifiers (service, instance, kids, seen_at) values ($1, $2, '', $3)
            on conflict (service, instance) do update set seen_at = excluded.seen_at";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(service)
            .bind(instance)
            .bind(now)
            .execute(conn)
            .await
            .map(drop))
    }

    /// Records which keys a verifier holds.
    pub(crate) async fn report(
        &mut self,
        verifier: &KnownVerifier,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into verifiers (service, instance, kids, seen_at) values ($1, $2, $3, $4)
            on conflict (service, instance) do update set kids = excluded.kids, seen_at = excluded.seen_at";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(&verifier.service)
            .bind(verifier.instance)
            .bind(&verifier.kids)
            .bind(now)
            .execute(conn)
            .await
            .map(drop))
    }

    /// The verifiers that were seen at this time or later.
    pub(crate) async fn seen_since(
        &mut self,
        since: DateTime<Utc>,
    ) -> Result<Vec<KnownVerifier>, sqlx::Error> {
        const SQL: &str = "
            select service, instance, kids from verifiers where seen_at >= $1 order by service, instance";
        on!(self.0, conn => sqlx::query_as(SQL).bind(since).fetch_all(conn).await)
    }

    /// Deletes the verifiers that were last seen before this time.
    pub(crate) async fn delete_unseen(&mut self, since: DateTime<Utc>) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from verifiers where seen_at < $1";
        on!(self.0, conn => sqlx::query(SQL).bind(since).execute(conn).await.map(drop))
    }

    /// Deletes a verifier that no longer runs.
    pub(crate) async fn delete(&mut self, service: &str, instance: Uuid) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from verifiers where service = $1 and instance = $2";
        on!(self.0, conn => sqlx::query(SQL).bind(service).bind(instance).execute(conn).await.map(drop))
    }
}

#[cfg(test)]
mod tests {
    use auth::Clock;
    use chrono::TimeDelta;
    use db::Db;
    use test_kit::TestDatabase;

    use super::*;
    use crate::domain::KeyIds;
    use crate::store::MIGRATIONS;

    fn report(service: &str, instance: u128, kids: &[&str]) -> KnownVerifier {
        KnownVerifier {
            service: service.to_owned(),
            instance: Uuid::from_u128(instance),
            kids: KeyIds::of(kids.iter().copied()),
        }
    }

    async fn listed(conn: &mut Conn, since: DateTime<Utc>) -> Vec<(String, u128, KeyIds)> {
        let verifiers = VerifierRows(conn).seen_since(since).await.unwrap();
        verifiers
            .into_iter()
            .map(|verifier| (verifier.service, verifier.instance.as_u128(), verifier.kids))
            .collect()
    }

    #[actix_web::test]
    async fn a_verifier_keeps_its_reported_keys_while_it_is_seen_and_is_deleted_afterwards() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let start = Clock::fixed().now();
        let later = start + TimeDelta::minutes(1);
        let mut tx = db.begin().await.unwrap();
        let mut rows = VerifierRows(&mut tx);
        rows.see("a", Uuid::from_u128(1), start).await.unwrap();
        rows.see("a", Uuid::from_u128(2), start).await.unwrap();
        rows.report(&report("a", 1, &["x", "y"]), start).await.unwrap();
        // Another service can't report for it.
        rows.report(&report("b", 1, &["z"]), start).await.unwrap();
        rows.see("a", Uuid::from_u128(1), later).await.unwrap();

        let row = |service: &str, instance, kids: &[&str]| {
            (service.to_owned(), instance, KeyIds::of(kids.iter().copied()))
        };
        let all = [row("a", 1, &["x", "y"]), row("a", 2, &[]), row("b", 1, &["z"])];
        assert_eq!(listed(&mut tx, start).await, all);
        assert_eq!(listed(&mut tx, later).await, all[..1]);
        VerifierRows(&mut tx)
            .delete("b", Uuid::from_u128(1))
            .await
            .unwrap();
        assert_eq!(listed(&mut tx, start).await, all[..2]);
        VerifierRows(&mut tx).delete_unseen(later).await.unwrap();
        assert_eq!(listed(&mut tx, start).await, all[..1]);
    }
}
