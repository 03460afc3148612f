//! The service dies, its database is locked, or its client hangs up, in the middle of something.

use futures_util::future::join_all;
use serde_json::{Value, json};
use test_kit::Client;
use uuid::Uuid;

use crate::shop::{Shop, basket, begin, eventually, id_of, shop};
use crate::weather::Weather::{self, Fair, HangsAfter, HangsBefore, Slow};

/// Ada, who always orders with the same key.
fn ada(shop: &Shop) -> Client {
    shop.user("ada").with("idempotency-key", "k")
}

/// Dies once inventory-service was asked, and comes back when that is well again.
async fn die_while_asking(shop: &mut Shop, calls: usize) {
    eventually("inventory-service is asked", async || {
        shop.near.inventory.arrived() > calls
    })
    .await;
    shop.crash().await;
    shop.near.inventory.is_now(Fair).await;
    shop.start();
}

/// Dies once inventory-service has answered, while it waits to write that down.
async fn die_while_locked(shop: &mut Shop, calls: usize) {
    eventually("inventory-service is asked", async || {
        shop.near.inventory.arrived() > calls
    })
    .await;
    let lock = shop.ledger.lock().await;
    shop.near.inventory.is_now(Fair).await;
    eventually("inventory-service answers", async || {
        shop.near.inventory.answered() > calls
    })
    .await;
    // SQLite does not tell: there it may only be about to.
    let is_waiting = async |statement| shop.ledger.is_waiting(statement).await != Some(false);
    eventually("that waits", async || {
        is_waiting("update orders").await || is_waiting("delete from stock_tasks").await
    })
    .await;
    shop.crash().await;
    drop(lock);
    shop.start();
}

/// How the service dies while it asks inventory-service in this weather.
#[derive(Clone, Copy, Debug)]
struct Death {
    weather: Weather,
    is_locked: bool,
}

const DEATHS: [Death; 3] = [
    Death {
        weather: HangsBefore,
        is_locked: false,
    },
    Death {
        weather: HangsAfter,
        is_locked: false,
    },
    Death {
        weather: HangsAfter,
        is_locked: true,
    },
];

impl Death {
    /// Somebody asks for something, and the service dies over it and comes back.
    async fn come_over(self, shop: &mut Shop, client: &Client, path: &str, body: Value) {
        shop.near.inventory.is_now(self.weather).await;
        let calls = shop.near.inventory.arrived();
        let asking = begin(client, path, body);
        if self.is_locked {
            die_while_locked(shop, calls).await;
        } else {
            die_while_asking(shop, calls).await;
        }
        asking.abort();
    }
}

#[actix_web::test]
async fn an_order_is_finished_by_another_life_of_the_service() {
    let die = async |death: Death| {
        let mut shop = shop().await;
        let (client, body) = (ada(&shop), basket(&[(shop.product(100, 5), 2)]));
        death.come_over(&mut shop, &client, "/orders", body.clone()).await;
        assert_eq!(
            (shop.ledger.orders().await, shop.ledger.tasks().await),
            (1, 1),
            "{death:?}"
        );
        shop.settle().await;
        let again = ada(&shop).post("/orders", body).await;
        again.assert(201, json!({"status": "confirmed"}));
        assert_eq!(
            (again.header("idempotent-replayed"), shop.ledger.orders().await),
            ("true", 1),
            "{death:?}"
        );
        shop.assert_books().await;
    };
    join_all(DEATHS.map(die)).await;
}

/// An order is made, and decided about while the service dies.
async fn assert_decision_survives(death: Death, decision: &str, is: &str, stock: [i64; 3]) {
    let mut shop = shop().await;
    let lamp = shop.product(100, 5);
    let order = id_of(shop.order("ada", &[(lamp, 2)]).await.assert_status(201));
    let (admin, path) = (shop.admin(), format!("/orders/{order}/{decision}"));
    death.come_over(&mut shop, &admin, &path, json!({})).await;
    assert_eq!(shop.status(&order).await, is, "{death:?}");
    shop.settle().await;
    assert_eq!(shop.near.stockroom.stock(lamp), stock, "{death:?}");
    shop.assert_books().await;
}

#[actix_web::test]
async fn a_cancelled_order_gives_its_stock_back_in_another_life_of_the_service() {
    join_all(DEATHS.map(|death| assert_decision_survives(death, "cancel", "cancelled", [5, 0, 0]))).await;
}

#[actix_web::test]
async fn the_stock_of_a_fulfilled_order_leaves_in_another_life_of_the_service() {
    join_all(DEATHS.map(|death| assert_decision_survives(death, "fulfil", "fulfilled", [3, 0, 2]))).await;
}

#[actix_web::test]
async fn who_dies_again_while_the_first_death_is_made_good_loses_nothing_either() {
    for weather in [HangsBefore, HangsAfter] {
        let mut shop = shop().await;
        let lamp = shop.product(100, 5);
        shop.near.inventory.is_now(weather).await;
        let ordering = begin(&ada(&shop), "/orders", basket(&[(lamp, 2)]));
        let mut calls = 0;
        for _ in 0..3 {
            eventually("inventory-service is asked", async || {
                shop.near.inventory.arrived() > calls
            })
            .await;
            shop.crash().await;
            calls = shop.near.inventory.arrived();
            // The lease of whoever died ends, and the worker of the next life takes the task up.
            shop.advance(60);
            shop.start();
        }
        ordering.abort();
        shop.near.inventory.is_now(Fair).await;
        shop.settle().await;
        let again = ada(&shop).post("/orders", basket(&[(lamp, 2)])).await;
        again.assert(201, json!({"status": "confirmed"}));
        assert_eq!(
            (shop.ledger.orders().await, shop.near.stockroom.stock(lamp)),
            (1, [5, 2, 0]),
            "{weather:?}"
        );
        shop.assert_books().await;
    }
}

#[actix_web::test]
async fn who_dies_before_there_are_prices_has_ordered_nothing() {
    let mut shop = shop().await;
    let body = basket(&[(shop.product(100, 5), 2)]);
    shop.near.products.is_now(HangsBefore).await;
    let ordering = begin(&ada(&shop), "/orders", body.clone());
    eventually("product-service is asked", async || {
        shop.near.products.arrived() > 0
    })
    .await;
    shop.crash().await;
    ordering.abort();
    shop.near.products.is_now(Fair).await;
    shop.start();
    assert_eq!((shop.ledger.orders().await, shop.ledger.keys().await), (0, 0));
    let order = ada(&shop).post("/orders", body).await;
    assert_eq!(order.assert_status(201).header("idempotent-replayed"), "");
    shop.assert_books().await;
}

#[actix_web::test]
async fn who_is_told_to_stop_ends_what_is_under_way() {
    let mut shop = shop().await;
    let lamp = shop.product(100, 5);
    shop.near
        .inventory
        .is_now(Slow(std::time::Duration::from_millis(300)))
        .await;
    let ordering = begin(&ada(&shop), "/orders", basket(&[(lamp, 2)]));
    eventually("inventory-service is asked", async || {
        shop.near.inventory.arrived() > 0
    })
    .await;
    shop.stop().await;
    ordering
        .await
        .unwrap()
        .assert(201, json!({"status": "confirmed"}));
    shop.start();
    shop.assert_books().await;
}

#[actix_web::test]
async fn an_order_is_made_though_nobody_waits_for_it_any_more() {
    for asked_last in ["product-service", "inventory-service"] {
        let shop = shop().await;
        let body = basket(&[(shop.product(100, 5), 2)]);
        let door = if asked_last == "product-service" {
            &shop.near.products
        } else {
            &shop.near.inventory
        };
        door.is_now(HangsBefore).await;
        let ordering = begin(&ada(&shop), "/orders", body.clone());
        eventually("a neighbour is asked", async || door.arrived() > 0).await;
        ordering.abort();
        door.is_now(Fair).await;
        // By whoever began it: the clock stands still, so that no lease ends.
        eventually("it is confirmed", async || {
            let orders = shop.orders().await;
            orders.len() == 1 && orders[0]["status"] == "confirmed"
        })
        .await;
        let again = ada(&shop).post("/orders", body).await;
        assert_eq!(
            again.assert_status(201).header("idempotent-replayed"),
            "true",
            "{asked_last}"
        );
        shop.settle().await;
        shop.assert_books().await;
    }
}

#[actix_web::test]
async fn a_decision_is_told_though_nobody_waits_for_it_any_more() {
    for (decision, stock) in [("cancel", [5, 0, 0]), ("fulfil", [3, 0, 2])] {
        let shop = shop().await;
        let lamp = shop.product(100, 5);
        let order = id_of(&shop.order("ada", &[(lamp, 2)]).await);
        shop.near.inventory.is_now(HangsBefore).await;
        let deciding = begin(&shop.admin(), &format!("/orders/{order}/{decision}"), json!({}));
        eventually("inventory-service is asked", async || {
            shop.near.inventory.arrived() > 1
        })
        .await;
        deciding.abort();
        shop.near.inventory.is_now(Fair).await;
        shop.settle().await;
        assert_eq!(shop.near.stockroom.stock(lamp), stock);
        shop.assert_books().await;
    }
}

#[actix_web::test]
async fn what_can_t_be_written_down_is_not_done() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let order = id_of(&shop.order("ada", &[(lamp, 1)]).await);
    let asked = shop.near.inventory.arrived();
    let lock = shop.ledger.lock().await;
    let refused = join_all([
        begin(&shop.user("ada"), "/orders", basket(&[(lamp, 2)])),
        begin(&shop.user("ada"), &format!("/orders/{order}/cancel"), json!({})),
        begin(&shop.admin(), &format!("/orders/{order}/fulfil"), json!({})),
    ]);
    for answer in refused.await {
        answer.unwrap().assert_problem(503, "database_unavailable");
    }
    drop(lock);
    assert_eq!(
        (shop.status(&order).await.as_str(), shop.near.inventory.arrived()),
        ("confirmed", asked)
    );
    shop.cancel("ada", &order).await.assert_status(200);
    shop.order("ada", &[(lamp, 2)]).await.assert_status(201);
    shop.assert_books().await;
}

#[actix_web::test]
async fn an_order_whose_end_can_t_be_written_down_is_pending() {
    let shop = shop().await;
    let (lamp, order): (Uuid, _) = (shop.product(100, 5), "/orders");
    shop.near.inventory.is_now(HangsAfter).await;
    let ordering = begin(&ada(&shop), order, basket(&[(lamp, 2)]));
    eventually("inventory-service is asked", async || {
        shop.near.inventory.arrived() > 0
    })
    .await;
    let lock = shop.ledger.lock().await;
    shop.near.inventory.is_now(Fair).await;
    let answer = ordering.await.unwrap();
    answer.assert(202, json!({"status": "pending", "total_cents": 200}));
    drop(lock);
    shop.settle().await;
    assert_eq!(shop.status(&id_of(&answer)).await, "confirmed");
    shop.assert_books().await;
}
