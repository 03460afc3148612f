//! The table `signing_keys`. At most one key is active, and at most one is next.

use chrono::{DateTime, Utc};
use db::{Conn, on};

use crate::domain::{RotationRequest, SigningAlgorithm, SigningKey, StoredKeys};

pub(crate) struct SigningKeyRows<'c>(pub &'c mut Conn);

impl SigningKeyRows<'_> {
    /// Waits until no other transaction changes keys, and prevents such changes until this transaction ends.
    pub(crate) async fn lock(&mut self) -> Result<(), sqlx::Error> {
        const SQL: &str = "update signing_key_guard set changes = changes + 1";
        on!(self.0, conn => sqlx::query(SQL).execute(conn).await.map(drop))
    }

    /// All keys, oldest first.
    pub(crate) async fn all(&mut self) -> Result<StoredKeys, sqlx::Error> {
        const SQL: &str = "
            select kid, algorithm, state, public_key, sealed_private, created_at, activated_at, not_after,
                rotation_requested_at, rotation_reason, rotation_requested_by
            from signing_keys order by created_at, kid";
        on!(self.0, conn => sqlx::query_as(SQL).fetch_all(conn).await).map(StoredKeys)
    }

    /// Adds an active or next key, unless another key has this state.
    pub(crate) async fn add_unless_state_taken(&mut self, key: &SigningKey) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into signing_keys (kid, algorithm, state, public_key, sealed_private, created_at, activated_at, not_after)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
            on conflict do nothing";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(&key.kid)
            .bind(key.algorithm)
            .bind(key.state)
            .bind(&key.public_key)
            .bind(&key.sealed_private)
            .bind(key.created_at)
            .bind(key.activated_at)
            .bind(key.not_after)
            .execute(conn)
            .await
            .map(drop))
    }

    /// Retires the active key and deletes the next key, if they have another algorithm than `algorithm`. The next key can be
    /// deleted because it has not signed anything.
    pub(crate) async fn retire_other_algorithms(
        &mut self,
        algorithm: SigningAlgorithm,
        not_after: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const RETIRE: &str = "
            update signing_keys set state = 'retiring', not_after = $2
            where state = 'active' and algorithm <> $1";
        const DELETE: &str = "delete from signing_keys where state = 'next' and algorithm <> $1";
        on!(self.0, conn => {
            sqlx::query(RETIRE).bind(algorithm).bind(not_after).execute(&mut *conn).await?;
            sqlx::query(DELETE).bind(algorithm).execute(conn).await.map(drop)
        })
    }

    /// Stores the request that the next key becomes active.
    pub(crate) async fn request_rotation(&mut self, request: &RotationRequest) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            update signing_keys
            set rotation_requested_at = $1, rotation_reason = $2, rotation_requested_by = $3
            where state = 'next' and rotation_requested_at is null";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(request.at)
            .bind(request.reason)
            .bind(request.by)
            .execute(conn)
            .await
            .map(drop))
    }

    /// Retires the active key.
    pub(crate) async fn retire_active(&mut self, not_after: DateTime<Utc>) -> Result<(), sqlx::Error> {
        const SQL: &str = "update signing_keys set state = 'retiring', not_after = $1 where state = 'active'";
        on!(self.0, conn => sqlx::query(SQL).bind(not_after).execute(conn).await.map(drop))
    }

    /// Deletes all keys that sign or have signed, and returns their ids.
    pub(crate) async fn delete_active_and_retiring(&mut self) -> Result<Vec<String>, sqlx::Error> {
        const SQL: &str = "delete from signing_keys where state in ('active', 'retiring') returning kid";
        on!(self.0, conn => sqlx::query_scalar(SQL).fetch_all(conn).await)
    }

    /// Deletes a key.
    pub(crate) async fn delete(&mut self, kid: &str) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from signing_keys where kid = $1";
        on!(self.0, conn => sqlx::query(SQL).bind(kid).execute(conn).await.map(drop))
    }

    /// Makes the next key active. There must be no other active key. A requested rotation is then done.
    pub(crate) async fn activate_next(&mut self, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            update signing_keys
            set state = 'active', activated_at = $1,
                rotation_requested_at = null, rotation_reason = null, rotation_requested_by = null
            where state = 'next'";
        on!(self.0, conn => sqlx::query(SQL).bind(now).execute(conn).await.map(drop))
    }

    /// Replaces the sealed form of a private key.
    pub(crate) async fn reseal(&mut self, kid: &str, sealed: &[u8]) -> Result<(), sqlx::Error> {
        const SQL: &str = "update signing_keys set sealed_private = $2 where kid = $1";
        on!(self.0, conn => sqlx::query(SQL).bind(kid).bind(sealed).execute(conn).await.map(drop))
    }

    /// Deletes retiring keys whose tokens have all expired.
    pub(crate) async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from signing_keys where state = 'retiring' and not_after <= $1";
        on!(self.0, conn => sqlx::query(SQL).bind(now).execute(conn).await.map(drop))
    }
}

#[cfg(test)]
mod tests {
    use auth::Clock;
    use chrono::TimeDelta;
    use db::{Db, Migrations};
    use sqlx::migrate::Migrator;
    use test_kit::TestDatabase;
    use uuid::Uuid;

    use super::*;
    use crate::domain::KeyState;
    use crate::store::MIGRATIONS;

    /// The migration that adds the algorithm.
    const SIGNING_ALGORITHM: i64 = 4;

    fn key(algorithm: SigningAlgorithm, state: KeyState, now: DateTime<Utc>) -> SigningKey {
        let bytes = match algorithm {
            SigningAlgorithm::EdDsa => 32,
            SigningAlgorithm::Es256 => 65,
        };
        SigningKey {
            kid: format!("{algorithm} {state:?}"),
            algorithm,
            state,
            public_key: vec![4; bytes],
            sealed_private: vec![7],
            created_at: now,
            activated_at: None,
            not_after: None,
            rotation_requested_at: None,
            rotation_reason: None,
            rotation_requested_by: None,
        }
    }

    /// The keys' ids, states and ends.
    async fn listed(conn: &mut Conn) -> Vec<(String, KeyState, Option<DateTime<Utc>>)> {
        let keys = SigningKeyRows(conn).all().await.unwrap();
        keys.0
            .into_iter()
            .map(|key| (key.kid, key.state, key.not_after))
            .collect()
    }

    #[actix_web::test]
    async fn a_key_from_before_the_choice_of_algorithms_is_an_eddsa_key() {
        const ADD: &str = "
            insert into signing_keys (kid, state, public_key, sealed_private, created_at)
            values ('k', 'active', $1, $2, $3)";
        let database = TestDatabase::new().await;
        let earlier = |migrator: &Migrator| {
            let earlier = migrator
                .iter()
                .filter(|migration| migration.version < SIGNING_ALGORITHM);
            Migrator::with_migrations(earlier.cloned().collect())
        };
        let migrations = Migrations {
            sqlite: earlier(&MIGRATIONS.sqlite),
            postgres: earlier(&MIGRATIONS.postgres),
        };
        let now = Clock::fixed().now();
        let db = Db::open(&database.url(), &migrations).await.unwrap();
        let mut conn = db.write().await.unwrap();
        on!(conn, conn => sqlx::query(ADD).bind([1_u8; 32].as_slice()).bind([2_u8; 8].as_slice()).bind(now).execute(conn).await.map(drop))
            .unwrap();
        drop(conn);
        db.close().await;

        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let keys = SigningKeyRows(&mut db.read().await.unwrap()).all().await.unwrap();
        let [key] = keys.0.as_slice() else {
            panic!("{keys:?}")
        };
        assert_eq!(
            (key.algorithm, key.state),
            (SigningAlgorithm::EdDsa, KeyState::Active)
        );
        assert_eq!((key.kid.as_str(), key.created_at), ("k", now));
        assert_eq!(
            (&key.public_key, &key.sealed_private),
            (&vec![1; 32], &vec![2; 8])
        );
    }

    #[actix_web::test]
    async fn at_most_one_key_is_active_and_one_is_next_and_a_retiring_key_is_deleted_at_its_end() {
        use KeyState::{Active, Next, Retiring};
        use SigningAlgorithm::{EdDsa, Es256};

        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let now = Clock::fixed().now();
        let end = now + TimeDelta::hours(1);
        let mut tx = db.begin().await.unwrap();
        for (algorithm, state) in [(EdDsa, Active), (EdDsa, Next), (Es256, Active), (Es256, Next)] {
            SigningKeyRows(&mut tx)
                .add_unless_state_taken(&key(algorithm, state, now))
                .await
                .unwrap();
        }
        let eddsa_keys = [
            ("EdDSA Active".to_owned(), Active, None),
            ("EdDSA Next".to_owned(), Next, None),
        ];
        SigningKeyRows(&mut tx)
            .retire_other_algorithms(EdDsa, end)
            .await
            .unwrap();
        assert_eq!(listed(&mut tx).await, eddsa_keys);

        SigningKeyRows(&mut tx)
            .retire_other_algorithms(Es256, end)
            .await
            .unwrap();
        let retiring = [("EdDSA Active".to_owned(), Retiring, Some(end))];
        assert_eq!(listed(&mut tx).await, retiring);

        let instant = TimeDelta::microseconds(1);
        SigningKeyRows(&mut tx)
            .delete_expired(end - instant)
            .await
            .unwrap();
        assert_eq!(listed(&mut tx).await, retiring);
        SigningKeyRows(&mut tx).delete_expired(end).await.unwrap();
        assert_eq!(listed(&mut tx).await, []);
    }

    #[actix_web::test]
    async fn the_first_request_counts_and_ends_when_the_next_key_becomes_active() {
        use SigningAlgorithm::EdDsa;

        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let now = Clock::fixed().now();
        let first = RotationRequest::by_hand(now, Uuid::from_u128(1));
        let later = RotationRequest::scheduled(now + TimeDelta::minutes(1));
        let mut tx = db.begin().await.unwrap();
        for state in [KeyState::Active, KeyState::Next] {
            SigningKeyRows(&mut tx)
                .add_unless_state_taken(&key(EdDsa, state, now))
                .await
                .unwrap();
        }
        for request in [&first, &later] {
            SigningKeyRows(&mut tx).request_rotation(request).await.unwrap();
            let keys = SigningKeyRows(&mut tx).all().await.unwrap();
            assert_eq!(keys.request(), Some(first));
        }

        let end = now + TimeDelta::hours(1);
        SigningKeyRows(&mut tx).retire_active(end).await.unwrap();
        SigningKeyRows(&mut tx).activate_next(end).await.unwrap();
        let expected = [
            ("EdDSA Active".to_owned(), KeyState::Retiring, Some(end)),
            ("EdDSA Next".to_owned(), KeyState::Active, None),
        ];
        assert_eq!(listed(&mut tx).await, expected);
        let keys = SigningKeyRows(&mut tx).all().await.unwrap();
        assert_eq!(keys.active().unwrap().rotation_request(), None);
        assert_eq!(keys.active().unwrap().activated_at, Some(end));
        let mut deleted = SigningKeyRows(&mut tx)
            .delete_active_and_retiring()
            .await
            .unwrap();
        deleted.sort();
        assert_eq!(deleted, ["EdDSA Active", "EdDSA Next"]);
    }
}
