//! Cancelling and fulfilling orders.

use std::time::{Duration, Instant};

use actix_web::http::Method;
use futures_util::future::{join, join_all};
use serde_json::json;
use test_kit::{Client, TestResponse};

use crate::fault_proxy::Behaviour::{
    self, Down, DropAfter, DropBefore, HangAfter, HangBefore, Healthy, Reply,
};
use crate::shop::{Shop, basket, eventually, id_of, post_in_background, shop};

impl Shop {
    pub async fn decide(&self, caller: &Client, order: &str, decision: &str) -> TestResponse {
        caller
            .send(&Method::POST, &format!("/orders/{order}/{decision}"), |request| {
                request
            })
            .await
    }

    pub async fn cancel(&self, name: &str, order: &str) -> TestResponse {
        self.decide(&self.user(name), order, "cancel").await
    }

    pub async fn fulfil(&self, order: &str) -> TestResponse {
        self.decide(&self.admin(), order, "fulfil").await
    }
}

#[actix_web::test]
async fn only_the_user_who_placed_an_order_and_admins_may_cancel_it() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let order = id_of(&shop.order("ada", &[(lamp, 2)]).await);
    let another = id_of(&shop.order("ada", &[(lamp, 1)]).await);

    let absent = shop.cancel("bob", "01890a5d-ac96-774b-bcce-b302099a8057").await;
    let stranger = shop.cancel("bob", &order).await;
    stranger.assert_problem(404, "order_not_found");
    assert_eq!(stranger.json()["detail"], absent.json()["detail"]);
    let support = shop.decide(&shop.support(), &order, "cancel").await;
    support.assert_problem(403, "forbidden");
    assert!(
        support
            .header("www-authenticate")
            .contains(r#"error="insufficient_scope""#)
    );
    assert_eq!(shop.status(&order).await, "confirmed");

    shop.advance(60);
    let cancelled = shop.cancel("ada", &order).await;
    cancelled.assert(
        200,
        json!({"id": order, "status": "cancelled", "total_cents": 200}),
    );
    assert_eq!(shop.show(&order).await, cancelled.json());
    assert_ne!(cancelled.json()["updated_at"], cancelled.json()["created_at"]);
    assert_eq!(shop.neighbours.fake_inventory.stock(lamp), [5, 1, 0]);
    shop.decide(&shop.admin(), &another, "cancel")
        .await
        .assert(200, json!({"status": "cancelled"}));
    assert_eq!(shop.neighbours.fake_inventory.stock(lamp), [5, 0, 0]);
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn only_admins_may_fulfil_an_order() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let order = id_of(&shop.order("ada", &[(lamp, 2)]).await);
    for client in [shop.user("ada"), shop.user("bob"), shop.support()] {
        shop.decide(&client, &order, "fulfil")
            .await
            .assert_problem(403, "forbidden");
    }
    shop.advance(60);
    let fulfilled = shop.fulfil(&order).await;
    fulfilled.assert(200, json!({"id": order, "status": "fulfilled"}));
    assert_eq!(shop.show(&order).await, fulfilled.json());
    assert_ne!(fulfilled.json()["updated_at"], fulfilled.json()["created_at"]);
    assert_eq!(shop.neighbours.fake_inventory.stock(lamp), [3, 0, 2]);
    shop.assert_consistent().await;
    shop.fulfil("01890a5d-ac96-774b-bcce-b302099a8057")
        .await
        .assert_problem(404, "order_not_found");
}

#[actix_web::test]
async fn a_final_order_can_be_neither_cancelled_nor_fulfilled() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let [cancelled, fulfilled] = [
        id_of(&shop.order("ada", &[(lamp, 1)]).await),
        id_of(&shop.order("ada", &[(lamp, 1)]).await),
    ];
    let rejected = id_of(shop.order("ada", &[(lamp, 9)]).await.assert_status(409));
    shop.cancel("ada", &cancelled).await.assert_status(200);
    shop.fulfil(&fulfilled).await.assert_status(200);
    for order in [cancelled, fulfilled, rejected] {
        let before = shop.show(&order).await;
        shop.advance(1);
        for refused in [shop.cancel("ada", &order).await, shop.fulfil(&order).await] {
            refused.assert_problem(409, "order_already_final");
            // A client that lost the response to its own request sees here that it succeeded.
            assert_eq!(refused.json()["order"], before);
        }
        assert_eq!(shop.show(&order).await, before);
    }
    assert_eq!(shop.neighbours.fake_inventory.stock(lamp), [4, 0, 1]);
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn a_pending_order_can_be_cancelled_but_not_fulfilled() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    shop.neighbours.inventory.set(Down).await;
    let order = id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(202));
    shop.fulfil(&order)
        .await
        .assert_problem(409, "order_not_confirmed");
    shop.cancel("ada", &order)
        .await
        .assert(200, json!({"status": "cancelled"}));
    shop.neighbours.inventory.set(Healthy).await;
    shop.settle().await;
    assert_eq!(shop.status(&order).await, "cancelled");
    assert_eq!(shop.neighbours.fake_inventory.stock(lamp), [5, 0, 0]);
    shop.assert_consistent().await;
}

/// Cancels one order and fulfils another while inventory-service behaves like this, and checks that the stock follows once it
/// is healthy.
async fn assert_decisions_survive(behaviour: Behaviour) {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let first = id_of(&shop.order("ada", &[(lamp, 1)]).await);
    let second = id_of(&shop.order("ada", &[(lamp, 2)]).await);
    shop.neighbours.inventory.set(behaviour).await;
    let started = Instant::now();
    let (cancelled, fulfilled) = join(shop.cancel("ada", &first), shop.fulfil(&second)).await;
    cancelled.assert(200, json!({"status": "cancelled"}));
    fulfilled.assert(200, json!({"status": "fulfilled"}));
    assert!(
        started.elapsed() < Duration::from_secs(12),
        "{behaviour:?}: {:?}",
        started.elapsed()
    );
    assert_eq!(shop.db.tasks().await, 2, "{behaviour:?}");

    shop.neighbours.inventory.set(Healthy).await;
    shop.settle().await;
    assert_eq!(
        [shop.status(&first).await, shop.status(&second).await],
        ["cancelled", "fulfilled"]
    );
    assert_eq!(
        shop.neighbours.fake_inventory.stock(lamp),
        [3, 0, 2],
        "{behaviour:?}"
    );
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn a_decision_stands_while_inventory_service_is_unavailable() {
    let behaviours = [
        Down,
        DropBefore,
        DropAfter,
        HangBefore,
        HangAfter,
        Reply(500, "{}"),
        Reply(401, "{}"),
        Reply(404, "{}"),
    ];
    join_all(behaviours.map(assert_decisions_survive)).await;
}

#[actix_web::test]
async fn the_response_of_another_call_is_not_accepted() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let first = id_of(&shop.order("ada", &[(lamp, 1)]).await);
    let second = id_of(&shop.order("ada", &[(lamp, 2)]).await);
    shop.neighbours
        .inventory
        .queue([Reply(200, "{}"), Reply(204, "")]);
    shop.cancel("ada", &first).await.assert_status(200);
    shop.fulfil(&second).await.assert_status(200);
    assert_eq!(
        (shop.db.tasks().await, shop.neighbours.fake_inventory.stock(lamp)),
        (2, [5, 3, 0])
    );
    shop.settle().await;
    assert_eq!(shop.neighbours.fake_inventory.stock(lamp), [3, 0, 2]);
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn an_order_that_is_cancelled_during_its_reservation_keeps_no_stock() {
    for (behaviour, next) in [(HangBefore, Healthy), (HangAfter, Healthy), (HangBefore, Down)] {
        let shop = shop().await;
        let lamp = shop.product(100, 5);
        shop.neighbours.inventory.set(behaviour).await;
        let ordering = post_in_background(&shop.user("ada"), "/orders", basket(&[(lamp, 2)]));
        eventually("inventory-service is called", async || {
            shop.neighbours.inventory.received() > 0
        })
        .await;
        let order = shop.orders().await[0]["id"].as_str().unwrap().to_owned();
        let started = Instant::now();
        shop.cancel("ada", &order)
            .await
            .assert(200, json!({"status": "cancelled"}));
        assert!(
            started.elapsed() < Duration::from_secs(4),
            "the request that reserves also executes the release"
        );

        shop.neighbours.inventory.set(next).await;
        ordering
            .await
            .unwrap()
            .assert(201, json!({"id": order, "status": "cancelled"}));
        shop.neighbours.inventory.set(Healthy).await;
        shop.settle().await;
        assert_eq!(shop.neighbours.fake_inventory.stock(lamp), [5, 0, 0]);
        shop.assert_consistent().await;
    }
}
