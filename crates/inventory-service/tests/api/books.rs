//! What always holds in the database, whatever anybody does at once.

use db::{Db, Migrations, on};
use uuid::Uuid;

use crate::Shop;

static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../../migrations/inventory-service/sqlite"),
    postgres: sqlx::migrate!("../../migrations/inventory-service/postgres"),
};

/// The service's own database, looked at from beside it.
pub struct Books(Db);

/// A product: its stock, what the journal says of it, and what the reservations that stand have of it.
#[derive(Debug, sqlx::FromRow)]
struct Page {
    on_hand: i64,
    reserved: i64,
    on_hand_changes: i64,
    reserved_changes: i64,
    promised: i64,
}

impl Books {
    pub async fn of(shop: &Shop) -> Self {
        Self(
            Db::open(&shop.service.database().url(), &MIGRATIONS)
                .await
                .unwrap(),
        )
    }

    pub async fn assert_right(&self) {
        const SQL: &str = "
            select on_hand, reserved,
                   (select cast(coalesce(sum(on_hand_change), 0) as bigint) from stock_journal
                    where product_id = stock.product_id) as on_hand_changes,
                   (select cast(coalesce(sum(reserved_change), 0) as bigint) from stock_journal
                    where product_id = stock.product_id) as reserved_changes,
                   (select cast(coalesce(sum(quantity), 0) as bigint)
                    from reservation_lines join reservations on reservations.order_id = reservation_lines.order_id
                    where product_id = stock.product_id and state = 'reserved') as promised
            from stock";
        let mut conn = self.0.read().await.unwrap();
        let pages: Vec<Page> = on!(conn, conn => sqlx::query_as(SQL).fetch_all(conn).await).unwrap();
        for page in pages {
            assert_eq!(page.on_hand, page.on_hand_changes, "{page:?}");
            assert_eq!(page.reserved, page.reserved_changes, "{page:?}");
            assert_eq!(page.reserved, page.promised, "{page:?}");
            assert!(0 <= page.reserved && page.reserved <= page.on_hand, "{page:?}");
        }
    }

    /// What the journal says of a product: kind, changes of on hand and of reserved, and who did it.
    pub async fn journal(&self, product: Uuid) -> Vec<(String, i64, i64, String)> {
        const SQL: &str = "
            select kind, on_hand_change, reserved_change, actor from stock_journal
            where product_id = $1 order by id";
        let mut conn = self.0.read().await.unwrap();
        on!(conn, conn => sqlx::query_as(SQL).bind(product).fetch_all(conn).await).unwrap()
    }

    /// How many orders are written down.
    pub async fn orders(&self) -> i64 {
        let mut conn = self.0.read().await.unwrap();
        on!(conn, conn => sqlx::query_scalar("select count(*) from reservations").fetch_one(conn).await)
            .unwrap()
    }

    /// Runs a statement that no code of the service would, and says whether the database takes it.
    pub async fn takes(&self, sql: &'static str) -> bool {
        let mut tx = self.0.begin().await.unwrap();
        on!(tx, conn => sqlx::query(sql).execute(conn).await.map(drop)).is_ok()
    }
}
