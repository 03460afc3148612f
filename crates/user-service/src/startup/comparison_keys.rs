//! Fills in missing comparison keys of email addresses at start, because SQL can't compute them. See
//! `docs/decisions/0011-email-comparison.md`.
//!
//! Two columns hold keys. `comparison_key` is null in old accounts, and is filled first. `email_key` is unique and holds the old
//! key in old accounts; it is then set to the comparison key. An account keeps its old `email_key` in two cases:
//!
//! 1. Another account has the same comparison key: the two accounts share an address. Their ids are logged.
//! 2. Another account keeps an old key that equals this account's comparison key. The addresses of the two accounts differ.

use db::{Db, Tx};
use service_kit::text;
use uuid::Uuid;

use crate::domain::EmailAddress;
use crate::store::{AccountWithoutComparisonKey, ComputedColumns, EmailKeyRows};

/// Accounts per transaction.
const BATCH: i64 = 1_000;
/// The maximum number of accounts with a shared address that are logged at a start. The last group may be cut off.
const MAX_REPORTED: i64 = 200;

/// Fills in both columns of all accounts. Each step can be repeated, so replicas may start together and a start may be interrupted.
pub(crate) async fn bring_up_to_date(db: &Db) -> Result<(), sqlx::Error> {
    while db.transaction(async |tx: &mut Tx| fill_batch(tx).await).await? > 0 {}
    let replace = async |tx: &mut Tx| EmailKeyRows(tx).replace_old(BATCH).await;
    while db.transaction(replace).await? > 0 {}

    for ids in shared(db).await? {
        let ids: Vec<_> = ids.iter().map(Uuid::to_string).collect();
        tracing::warn!(
            user.ids = ids.join(", "),
            "accounts share one email address: each can log in only with its own spelling of it"
        );
    }
    Ok(())
}

async fn fill_batch(tx: &mut Tx) -> Result<usize, sqlx::Error> {
    let accounts = EmailKeyRows(tx).missing(BATCH).await?;
    let computed: Vec<_> = accounts.iter().map(compute).collect();
    EmailKeyRows(tx).fill(&computed).await?;
    Ok(computed.len())
}

fn compute(account: &AccountWithoutComparisonKey) -> ComputedColumns {
    let email = EmailAddress::parse_existing(&account.email);
    ComputedColumns {
        id: account.id,
        // A malformed address, which this service would not store, keeps its old key. Perhaps an import wrote the address.
        comparison_key: email.map_or_else(|_| account.email_key.clone(), |email| email.key().to_owned()),
        email_folded: text::fold(&account.email),
    }
}

/// The groups of accounts that share a comparison key.
async fn shared(db: &Db) -> Result<Vec<Vec<Uuid>>, sqlx::Error> {
    let rows = EmailKeyRows(&mut db.read().await?).shared(MAX_REPORTED).await?;
    Ok(rows
        .chunk_by(|one, other| one.0 == other.0)
        // The limit may have cut off all but one account of the last group.
        .filter(|group| group.len() > 1)
        .map(|group| group.iter().map(|(_, id)| *id).collect())
        .collect())
}

#[cfg(test)]
mod tests {
    use auth::Clock;
    use db::on;
    use test_kit::TestDatabase;

    use super::*;
    use crate::store::MIGRATIONS;

    async fn add_old_account(tx: &mut Tx, id: u128, email: &str, email_key: &str) {
        const SQL: &str = "
            insert into users (id, email, email_key, name, roles, created_at, updated_at)
            values ($1, $2, $3, 'Ada', 'user', $4, $4)";
        let now = Clock::fixed().now();
        on!(tx, conn => sqlx::query(SQL)
            .bind(Uuid::from_u128(id))
            .bind(email)
            .bind(email_key)
            .bind(now)
            .execute(conn)
            .await
            .map(drop))
        .unwrap();
    }

    async fn keys(db: &Db) -> Vec<(String, Option<String>)> {
        const SQL: &str = "select email_key, comparison_key from users order by id";
        let mut conn = db.read().await.unwrap();
        on!(conn, conn => sqlx::query_as(SQL).fetch_all(conn).await).unwrap()
    }

    #[actix_web::test]
    async fn every_batch_is_filled_in() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        for id in 0..=u128::try_from(BATCH).unwrap() {
            let (email, old_key) = (format!("{id}@ß.example"), format!("{id}@ss.example"));
            add_old_account(&mut tx, id, &email, &old_key).await;
        }
        tx.commit().await.unwrap();

        bring_up_to_date(&db).await.unwrap();
        for (id, (email_key, comparison_key)) in keys(&db).await.into_iter().enumerate() {
            assert_eq!(email_key, format!("{id}@xn--zca.example"));
            assert_eq!(comparison_key, Some(email_key));
        }
    }

    #[actix_web::test]
    async fn an_old_key_that_is_the_new_key_of_another_account_is_replaced_first() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        add_old_account(&mut tx, 1, "a@ｓs.example", "a@ｓs.example").await;
        add_old_account(&mut tx, 2, "a@ß.example", "a@ss.example").await;
        tx.commit().await.unwrap();

        bring_up_to_date(&db).await.unwrap();
        let expected =
            ["a@ss.example", "a@xn--zca.example"].map(|key| (key.to_owned(), Some(key.to_owned())));
        assert_eq!(keys(&db).await, expected);
    }

    #[actix_web::test]
    async fn an_account_whose_comparison_key_is_the_old_key_of_another_is_not_reported() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        // The first two share an address, so the first keeps its old key, which is the comparison key of the third.
        for (id, email, old_key) in [
            (1, "a@ß.example", "a@ss.example"),
            (2, "a@xn--zca.example", "a@xn--zca.example"),
            (3, "a@ｓs.example", "a@ｓs.example"),
        ] {
            add_old_account(&mut tx, id, email, old_key).await;
        }
        tx.commit().await.unwrap();

        bring_up_to_date(&db).await.unwrap();
        assert_eq!(
            shared(&db).await.unwrap(),
            [[Uuid::from_u128(1), Uuid::from_u128(2)]]
        );
        assert_eq!(keys(&db).await[2].0, "a@ｓs.example");
    }

    #[actix_web::test]
    async fn accounts_that_share_an_address_are_reported_by_id_and_keep_their_old_keys() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let old_keys = ["a@ü.example", "a@xn--tda.example", "b@ü.example"];
        let mut tx = db.begin().await.unwrap();
        for (id, email) in (1..).zip(old_keys) {
            add_old_account(&mut tx, id, email, email).await;
        }
        tx.commit().await.unwrap();

        for _ in 0..2 {
            bring_up_to_date(&db).await.unwrap();
            let shared = shared(&db).await.unwrap();
            assert_eq!(shared, [[Uuid::from_u128(1), Uuid::from_u128(2)]]);
            let email_keys: Vec<_> = keys(&db)
                .await
                .into_iter()
                .map(|(email_key, _)| email_key)
                .collect();
            assert_eq!(
                email_keys,
                ["a@ü.example", "a@xn--tda.example", "b@xn--tda.example"]
            );
        }
    }
}
