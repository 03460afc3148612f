//! Inserts past orders directly into the databases while the services run. Placing a million orders through the services would take
//! too long.

use db::DatabaseUrl;
use uuid::Uuid;

use crate::Failure;
use crate::database::Connection;

/// Inserts this number of orders, evenly distributed over the products, into the databases of order-service and inventory-service.
/// Leaves the stock unchanged.
pub(crate) async fn seed(
    [orders, inventory]: [&DatabaseUrl; 2],
    products: &[Uuid],
    count: u32,
) -> Result<(), Failure> {
    let mut order_service = Connection::open(orders).await?;
    let mut inventory_service = Connection::open(inventory).await?;
    let shares = u64::try_from(products.len())?;
    for (index, product) in (0..).zip(products) {
        // One transaction per chunk, so that the services can write in between.
        let share = index * u64::from(count) / shares + 1..=(index + 1) * u64::from(count) / shares;
        let past = Past::new(orders, (*share.start(), *share.end()), product);
        order_service.run(past.orders()).await?;
        inventory_service.run(past.reservations()).await?;
    }
    order_service.settle().await?;
    inventory_service.settle().await?;
    Ok(())
}

/// A chunk of past orders: a table `past` of their numbers `n`, and SQL expressions of `n` for an engine. The first order is in
/// 2020, and each one is ten seconds after the previous one.
struct Past {
    numbers: String,
    id: String,
    person: String,
    at: &'static str,
    /// The ids of the two journal rows, which differ by `step`.
    entry: String,
    product: String,
}

impl Past {
    fn new(engine: &DatabaseUrl, (first, last): (u64, u64), product: &Uuid) -> Self {
        const AT_MS: &str = "(1577836800000 + n * 10000)";
        let product = product.simple();
        let numbers = format!(
            "with recursive past (n) as (
                 select cast({first} as bigint) union all select n + 1 from past where n < {last})"
        );
        // UUIDs of version 7: the time, then bits that make them unique.
        let (id, at, product): (fn(&str, &str) -> String, _, _) = match engine {
            DatabaseUrl::Sqlite(_) => (
                |ms, rest| format!("unhex(format('%012x70008%015x', {ms}, {rest}))"),
                "strftime('%Y-%m-%dT%H:%M:%S+00:00', 1577836800 + n * 10, 'unixepoch')",
                format!("x'{product}'"),
            ),
            DatabaseUrl::Postgres(_) => (
                |ms, rest| {
                    format!("(lpad(to_hex({ms}), 12, '0') || '70008' || lpad(to_hex({rest}), 15, '0'))::uuid")
                },
                "to_timestamp(1577836800 + n * 10)",
                format!("'{product}'::uuid"),
            ),
        };
        Self {
            numbers,
            id: id(AT_MS, "n"),
            // Five thousand users, in scattered order.
            person: id("1577836800000", "(n * 7919 % 5000)"),
            at,
            entry: id(AT_MS, "(n * 2 + step)"),
            product,
        }
    }

    /// Of fifty orders, one each is pending, confirmed, rejected and cancelled; the others are fulfilled.
    fn orders(&self) -> String {
        let Self {
            numbers,
            id,
            person,
            at,
            product,
            ..
        } = self;
        format!(
            "begin;
            {numbers}
            insert into orders (id, user_id, status, total_cents, currency, created_at, updated_at)
            select {id}, {person},
                   case n % 50 when 0 then 'pending' when 1 then 'confirmed' when 2 then 'cancelled'
                               when 3 then 'rejected' else 'fulfilled' end,
                   1999, 'EUR', {at}, {at}
            from past;
            {numbers}
            insert into order_lines (order_id, position, product_id, name, unit_price_cents, quantity)
            select {id}, 0, {product}, 'Lamp', 1999, 1 from past;
            commit"
        )
    }

    /// Reservations and journal rows, as if all orders were fulfilled.
    fn reservations(&self) -> String {
        let Self {
            numbers,
            id,
            at,
            entry,
            product,
            ..
        } = self;
        format!(
            "begin;
            {numbers}
            insert into reservations (order_id, state, created_at) select {id}, 'committed', {at} from past;
            {numbers}
            insert into reservation_lines (order_id, product_id, quantity) select {id}, {product}, 1 from past;
            {numbers}
            insert into stock_journal
                (id, product_id, kind, on_hand_change, reserved_change, order_id, actor, at)
            select {entry}, {product}, kind, on_hand, reserved, {id}, 'order-service', {at}
            from past cross join (
                select 0 as step, 'reserve' as kind, 0 as on_hand, 1 as reserved
                union all select 1, 'commit', -1, -1) as steps;
            commit"
        )
    }
}

#[cfg(test)]
mod tests {
    use db::{Db, Migrations};
    use sqlx::migrate;

    use super::*;
    use crate::database::Server;

    static ORDER_SERVICE: Migrations = Migrations {
        sqlite: migrate!("../../migrations/order-service/sqlite"),
        postgres: migrate!("../../migrations/order-service/postgres"),
    };
    static INVENTORY_SERVICE: Migrations = Migrations {
        sqlite: migrate!("../../migrations/inventory-service/sqlite"),
        postgres: migrate!("../../migrations/inventory-service/postgres"),
    };

    #[tokio::test]
    async fn past_orders_fit_the_tables_of_the_services() {
        const STOCK: &str = "insert into stock (product_id, on_hand, reserved, version, updated_at)";
        let directory = tempfile::tempdir().unwrap();
        let server = Server::from_environment().await.unwrap();
        let mut databases = Vec::new();
        for (name, migrations) in [("orders", &ORDER_SERVICE), ("inventory", &INVENTORY_SERVICE)] {
            let url = match &server {
                None => DatabaseUrl::Sqlite(directory.path().join(name)),
                Some(server) => DatabaseUrl::Postgres(Box::new(server.database().await.unwrap())),
            };
            Db::open(&url, migrations).await.unwrap().close().await;
            databases.push(url);
        }
        let products = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
        let mut inventory = Connection::open(&databases[1]).await.unwrap();
        for product in &products {
            let product = Past::new(&databases[1], (1, 1), product).product;
            inventory
                .run(format!("{STOCK} values ({product}, 9, 0, 0, '2020-01-01')"))
                .await
                .unwrap();
        }

        seed([&databases[0], &databases[1]], &products, 100)
            .await
            .unwrap();

        let mut orders = Connection::open(&databases[0]).await.unwrap();
        for (sql, expected) in [
            (
                "select count(*) from orders join order_lines on order_id = id",
                100,
            ),
            ("select count(*) from orders where status = 'pending'", 2),
            ("select count(distinct product_id) from order_lines", 3),
        ] {
            assert_eq!(orders.number(sql).await.unwrap(), expected, "{sql}");
        }
        for (sql, expected) in [
            (
                "select count(*) from reservations join reservation_lines using (order_id)",
                100,
            ),
            ("select count(*) from stock_journal", 200),
            (
                "select cast(sum(on_hand_change) as bigint) from stock_journal",
                -100,
            ),
        ] {
            assert_eq!(inventory.number(sql).await.unwrap(), expected, "{sql}");
        }
        drop((orders, inventory));
        if let Some(server) = server {
            server.drop_all().await.unwrap();
        }
    }
}
