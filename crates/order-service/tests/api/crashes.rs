//! The service crashes, its database is locked, or its client disconnects, at any point of a request.

use futures_util::future::join_all;
use serde_json::{Value, json};
use test_kit::Client;
use uuid::Uuid;

use crate::fault_proxy::Behaviour::{self, HangAfter, HangBefore, Healthy, Slow};
use crate::shop::{Shop, basket, eventually, id_of, post_in_background, shop};

/// Ada, with an idempotency key.
fn ada(shop: &Shop) -> Client {
    shop.user("ada").with("idempotency-key", "k")
}

/// Crashes the service during a call to inventory-service, and starts it again when inventory-service is healthy.
async fn crash_during_call(shop: &mut Shop, calls: usize) {
    eventually("inventory-service is called", async || {
        shop.neighbours.inventory.received() > calls
    })
    .await;
    shop.crash().await;
    shop.neighbours.inventory.set(Healthy).await;
    shop.start();
}

/// Crashes the service after inventory-service has answered, while it waits for a lock to record the outcome.
async fn crash_during_write(shop: &mut Shop, calls: usize) {
    eventually("inventory-service is called", async || {
        shop.neighbours.inventory.received() > calls
    })
    .await;
    let lock = shop.db.lock().await;
    shop.neighbours.inventory.set(Healthy).await;
    eventually("inventory-service has answered", async || {
        shop.neighbours.inventory.answered() > calls
    })
    .await;
    // SQLite does not report waiting statements. There the service may crash shortly before the write.
    let is_waiting = async |statement| shop.db.is_waiting(statement).await != Some(false);
    eventually("the service waits for the lock", async || {
        is_waiting("update orders").await || is_waiting("delete from stock_tasks").await
    })
    .await;
    shop.crash().await;
    drop(lock);
    shop.start();
}

/// How the service crashes during a request, while inventory-service behaves like this.
#[derive(Clone, Copy, Debug)]
struct Crash {
    behaviour: Behaviour,
    is_locked: bool,
}

const CRASHES: [Crash; 3] = [
    Crash {
        behaviour: HangBefore,
        is_locked: false,
    },
    Crash {
        behaviour: HangAfter,
        is_locked: false,
    },
    Crash {
        behaviour: HangAfter,
        is_locked: true,
    },
];

impl Crash {
    /// Sends a POST, crashes the service meanwhile, and starts it again.
    async fn happen(self, shop: &mut Shop, client: &Client, path: &str, body: Value) {
        shop.neighbours.inventory.set(self.behaviour).await;
        let calls = shop.neighbours.inventory.received();
        let request = post_in_background(client, path, body);
        if self.is_locked {
            crash_during_write(shop, calls).await;
        } else {
            crash_during_call(shop, calls).await;
        }
        request.abort();
    }
}

#[actix_web::test]
async fn an_order_is_finished_after_a_crash() {
    let check = async |crash: Crash| {
        let mut shop = shop().await;
        let (client, body) = (ada(&shop), basket(&[(shop.product(100, 5), 2)]));
        crash.happen(&mut shop, &client, "/orders", body.clone()).await;
        assert_eq!(
            (shop.db.orders().await, shop.db.tasks().await),
            (1, 1),
            "{crash:?}"
        );
        shop.settle().await;
        let again = ada(&shop).post("/orders", body).await;
        again.assert(201, json!({"status": "confirmed"}));
        assert_eq!(
            (again.header("idempotent-replayed"), shop.db.orders().await),
            ("true", 1),
            "{crash:?}"
        );
        shop.assert_consistent().await;
    };
    join_all(CRASHES.map(check)).await;
}

/// Places an order, crashes the service during a decision about it, and checks that the decision holds.
async fn assert_decision_survives(crash: Crash, decision: &str, status: &str, stock: [i64; 3]) {
    let mut shop = shop().await;
    let lamp = shop.product(100, 5);
    let order = id_of(shop.order("ada", &[(lamp, 2)]).await.assert_status(201));
    let (admin, path) = (shop.admin(), format!("/orders/{order}/{decision}"));
    crash.happen(&mut shop, &admin, &path, json!({})).await;
    assert_eq!(shop.status(&order).await, status, "{crash:?}");
    shop.settle().await;
    assert_eq!(shop.neighbours.fake_inventory.stock(lamp), stock, "{crash:?}");
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn the_stock_of_a_cancelled_order_is_returned_after_a_crash() {
    join_all(CRASHES.map(|crash| assert_decision_survives(crash, "cancel", "cancelled", [5, 0, 0]))).await;
}

#[actix_web::test]
async fn the_stock_of_a_fulfilled_order_is_committed_after_a_crash() {
    join_all(CRASHES.map(|crash| assert_decision_survives(crash, "fulfil", "fulfilled", [3, 0, 2]))).await;
}

#[actix_web::test]
async fn an_order_survives_repeated_crashes() {
    for behaviour in [HangBefore, HangAfter] {
        let mut shop = shop().await;
        let lamp = shop.product(100, 5);
        shop.neighbours.inventory.set(behaviour).await;
        let ordering = post_in_background(&ada(&shop), "/orders", basket(&[(lamp, 2)]));
        let mut calls = 0;
        for _ in 0..3 {
            eventually("inventory-service is called", async || {
                shop.neighbours.inventory.received() > calls
            })
            .await;
            shop.crash().await;
            calls = shop.neighbours.inventory.received();
            // The lease of the crashed service expires, and the worker leases the task after the start.
            shop.advance(60);
            shop.start();
        }
        ordering.abort();
        shop.neighbours.inventory.set(Healthy).await;
        shop.settle().await;
        let again = ada(&shop).post("/orders", basket(&[(lamp, 2)])).await;
        again.assert(201, json!({"status": "confirmed"}));
        assert_eq!(
            (shop.db.orders().await, shop.neighbours.fake_inventory.stock(lamp)),
            (1, [5, 2, 0]),
            "{behaviour:?}"
        );
        shop.assert_consistent().await;
    }
}

#[actix_web::test]
async fn a_crash_before_prices_are_known_leaves_no_order() {
    let mut shop = shop().await;
    let body = basket(&[(shop.product(100, 5), 2)]);
    shop.neighbours.products.set(HangBefore).await;
    let ordering = post_in_background(&ada(&shop), "/orders", body.clone());
    eventually("product-service is called", async || {
        shop.neighbours.products.received() > 0
    })
    .await;
    shop.crash().await;
    ordering.abort();
    shop.neighbours.products.set(Healthy).await;
    shop.start();
    assert_eq!((shop.db.orders().await, shop.db.keys().await), (0, 0));
    let order = ada(&shop).post("/orders", body).await;
    assert_eq!(order.assert_status(201).header("idempotent-replayed"), "");
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn a_graceful_stop_finishes_running_requests() {
    let mut shop = shop().await;
    let lamp = shop.product(100, 5);
    shop.neighbours
        .inventory
        .set(Slow(std::time::Duration::from_millis(300)))
        .await;
    let ordering = post_in_background(&ada(&shop), "/orders", basket(&[(lamp, 2)]));
    eventually("inventory-service is called", async || {
        shop.neighbours.inventory.received() > 0
    })
    .await;
    shop.stop().await;
    ordering
        .await
        .unwrap()
        .assert(201, json!({"status": "confirmed"}));
    shop.start();
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn an_order_is_placed_even_if_the_client_disconnects() {
    for last_called in ["product-service", "inventory-service"] {
        let shop = shop().await;
        let body = basket(&[(shop.product(100, 5), 2)]);
        let proxy = if last_called == "product-service" {
            &shop.neighbours.products
        } else {
            &shop.neighbours.inventory
        };
        proxy.set(HangBefore).await;
        let ordering = post_in_background(&ada(&shop), "/orders", body.clone());
        eventually("the neighbour is called", async || proxy.received() > 0).await;
        ordering.abort();
        proxy.set(Healthy).await;
        // The request's own task confirms it: the clock stands still, so that no lease expires.
        eventually("the order is confirmed", async || {
            let orders = shop.orders().await;
            orders.len() == 1 && orders[0]["status"] == "confirmed"
        })
        .await;
        let again = ada(&shop).post("/orders", body).await;
        assert_eq!(
            again.assert_status(201).header("idempotent-replayed"),
            "true",
            "{last_called}"
        );
        shop.settle().await;
        shop.assert_consistent().await;
    }
}

#[actix_web::test]
async fn the_stock_follows_a_decision_even_if_the_client_disconnects() {
    for (decision, stock) in [("cancel", [5, 0, 0]), ("fulfil", [3, 0, 2])] {
        let shop = shop().await;
        let lamp = shop.product(100, 5);
        let order = id_of(&shop.order("ada", &[(lamp, 2)]).await);
        shop.neighbours.inventory.set(HangBefore).await;
        let deciding = post_in_background(&shop.admin(), &format!("/orders/{order}/{decision}"), json!({}));
        eventually("inventory-service is called", async || {
            shop.neighbours.inventory.received() > 1
        })
        .await;
        deciding.abort();
        shop.neighbours.inventory.set(Healthy).await;
        shop.settle().await;
        assert_eq!(shop.neighbours.fake_inventory.stock(lamp), stock);
        shop.assert_consistent().await;
    }
}

#[actix_web::test]
async fn a_request_that_can_t_be_stored_has_no_effect() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let order = id_of(&shop.order("ada", &[(lamp, 1)]).await);
    let calls = shop.neighbours.inventory.received();
    let lock = shop.db.lock().await;
    let refused = join_all([
        post_in_background(&shop.user("ada"), "/orders", basket(&[(lamp, 2)])),
        post_in_background(&shop.user("ada"), &format!("/orders/{order}/cancel"), json!({})),
        post_in_background(&shop.admin(), &format!("/orders/{order}/fulfil"), json!({})),
    ]);
    for answer in refused.await {
        answer.unwrap().assert_problem(503, "database_unavailable");
    }
    drop(lock);
    assert_eq!(
        (
            shop.status(&order).await.as_str(),
            shop.neighbours.inventory.received()
        ),
        ("confirmed", calls)
    );
    shop.cancel("ada", &order).await.assert_status(200);
    shop.order("ada", &[(lamp, 2)]).await.assert_status(201);
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn an_order_whose_outcome_can_t_be_stored_is_returned_as_pending() {
    let shop = shop().await;
    let (lamp, order): (Uuid, _) = (shop.product(100, 5), "/orders");
    shop.neighbours.inventory.set(HangAfter).await;
    let ordering = post_in_background(&ada(&shop), order, basket(&[(lamp, 2)]));
    eventually("inventory-service is called", async || {
        shop.neighbours.inventory.received() > 0
    })
    .await;
    let lock = shop.db.lock().await;
    shop.neighbours.inventory.set(Healthy).await;
    let answer = ordering.await.unwrap();
    answer.assert(202, json!({"status": "pending", "total_cents": 200}));
    drop(lock);
    shop.settle().await;
    assert_eq!(shop.status(&id_of(&answer)).await, "confirmed");
    shop.assert_consistent().await;
}
