//! The service's database as tests see it, and the check that stock, journal and reservations agree.

use db::{Db, Migrations, on};
use uuid::Uuid;

use crate::Shop;

static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../../migrations/inventory-service/sqlite"),
    postgres: sqlx::migrate!("../../migrations/inventory-service/postgres"),
};

/// A second connection pool to the service's database.
pub struct Journal(Db);

/// A product's stock, the sums of its journal entries, and the sum of its reservations.
#[derive(Debug, sqlx::FromRow)]
struct Totals {
    on_hand: i64,
    reserved: i64,
    on_hand_changes: i64,
    reserved_changes: i64,
    reservations: i64,
}

impl Journal {
    pub async fn of(shop: &Shop) -> Self {
        Self(
            Db::open(&shop.service.database().url(), &MIGRATIONS)
                .await
                .unwrap(),
        )
    }

    /// Asserts that journal and reservations add up to the stock, and that no more is reserved than is on hand.
    pub async fn assert_consistent(&self) {
        const SQL: &str = "
            select on_hand, reserved,
                   (select cast(coalesce(sum(on_hand_change), 0) as bigint) from stock_journal
                    where product_id = stock.product_id) as on_hand_changes,
                   (select cast(coalesce(sum(reserved_change), 0) as bigint) from stock_journal
                    where product_id = stock.product_id) as reserved_changes,
                   (select cast(coalesce(sum(quantity), 0) as bigint)
                    from reservation_lines join reservations on reservations.order_id = reservation_lines.order_id
                    where product_id = stock.product_id and state = 'reserved') as reservations
            from stock";
        let mut conn = self.0.read().await.unwrap();
        let products: Vec<Totals> = on!(conn, conn => sqlx::query_as(SQL).fetch_all(conn).await).unwrap();
        for product in products {
            assert_eq!(product.on_hand, product.on_hand_changes, "{product:?}");
            assert_eq!(product.reserved, product.reserved_changes, "{product:?}");
            assert_eq!(product.reserved, product.reservations, "{product:?}");
            assert!(
                0 <= product.reserved && product.reserved <= product.on_hand,
                "{product:?}"
            );
        }
    }

    /// The journal entries of a product: kind, changes of `on_hand` and `reserved`, and actor.
    pub async fn entries(&self, product: Uuid) -> Vec<(String, i64, i64, String)> {
        const SQL: &str = "
            select kind, on_hand_change, reserved_change, actor from stock_journal
            where product_id = $1 order by id";
        let mut conn = self.0.read().await.unwrap();
        on!(conn, conn => sqlx::query_as(SQL).bind(product).fetch_all(conn).await).unwrap()
    }

    /// How many reservations are stored, in any state.
    pub async fn reservations(&self) -> i64 {
        let mut conn = self.0.read().await.unwrap();
        on!(conn, conn => sqlx::query_scalar("select count(*) from reservations").fetch_one(conn).await)
            .unwrap()
    }

    /// Whether the database accepts a statement. Rolls it back.
    pub async fn accepts(&self, sql: &'static str) -> bool {
        let mut tx = self.0.begin().await.unwrap();
        on!(tx, conn => sqlx::query(sql).execute(conn).await.map(drop)).is_ok()
    }
}
