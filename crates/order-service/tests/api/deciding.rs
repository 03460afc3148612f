//! Cancelling and fulfilling.

use std::time::{Duration, Instant};

use actix_web::http::Method;
use futures_util::future::{join, join_all};
use serde_json::json;
use test_kit::{Client, TestResponse};

use crate::shop::{Shop, basket, begin, eventually, id_of, shop};
use crate::weather::Weather::{self, Away, Fair, HangsAfter, HangsBefore, LostAfter, LostBefore, Says};

impl Shop {
    pub async fn decide(&self, who: &Client, order: &str, decision: &str) -> TestResponse {
        who.send(&Method::POST, &format!("/orders/{order}/{decision}"), |request| {
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
async fn whoever_ordered_it_and_an_admin_may_cancel_an_order_and_nobody_else() {
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
    assert_eq!(shop.near.stockroom.stock(lamp), [5, 1, 0]);
    shop.decide(&shop.admin(), &another, "cancel")
        .await
        .assert(200, json!({"status": "cancelled"}));
    assert_eq!(shop.near.stockroom.stock(lamp), [5, 0, 0]);
    shop.assert_books().await;
}

#[actix_web::test]
async fn an_admin_alone_may_fulfil_an_order() {
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
    assert_eq!(shop.near.stockroom.stock(lamp), [3, 0, 2]);
    shop.assert_books().await;
    shop.fulfil("01890a5d-ac96-774b-bcce-b302099a8057")
        .await
        .assert_problem(404, "order_not_found");
}

#[actix_web::test]
async fn what_is_final_stays_so() {
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
            // Whoever lost the answer to their own decision learns from it that it was taken.
            assert_eq!(refused.json()["order"], before);
        }
        assert_eq!(shop.show(&order).await, before);
    }
    assert_eq!(shop.near.stockroom.stock(lamp), [4, 0, 1]);
    shop.assert_books().await;
}

#[actix_web::test]
async fn a_pending_order_can_be_cancelled_and_not_fulfilled() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    shop.near.inventory.is_now(Away).await;
    let order = id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(202));
    shop.fulfil(&order)
        .await
        .assert_problem(409, "order_not_confirmed");
    shop.cancel("ada", &order)
        .await
        .assert(200, json!({"status": "cancelled"}));
    shop.near.inventory.is_now(Fair).await;
    shop.settle().await;
    assert_eq!(shop.status(&order).await, "cancelled");
    assert_eq!(shop.near.stockroom.stock(lamp), [5, 0, 0]);
    shop.assert_books().await;
}

/// One order is cancelled and another fulfilled in this weather, and inventory-service told once it is over.
async fn assert_decided_and_told(weather: Weather) {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let first = id_of(&shop.order("ada", &[(lamp, 1)]).await);
    let second = id_of(&shop.order("ada", &[(lamp, 2)]).await);
    shop.near.inventory.is_now(weather).await;
    let begun = Instant::now();
    let (cancelled, fulfilled) = join(shop.cancel("ada", &first), shop.fulfil(&second)).await;
    cancelled.assert(200, json!({"status": "cancelled"}));
    fulfilled.assert(200, json!({"status": "fulfilled"}));
    assert!(
        begun.elapsed() < Duration::from_secs(12),
        "{weather:?}: {:?}",
        begun.elapsed()
    );
    assert_eq!(shop.ledger.tasks().await, 2, "{weather:?}");

    shop.near.inventory.is_now(Fair).await;
    shop.settle().await;
    assert_eq!(
        [shop.status(&first).await, shop.status(&second).await],
        ["cancelled", "fulfilled"]
    );
    assert_eq!(shop.near.stockroom.stock(lamp), [3, 0, 2], "{weather:?}");
    shop.assert_books().await;
}

#[actix_web::test]
async fn a_decision_stands_though_inventory_service_can_t_be_told_yet() {
    let weathers = [
        Away,
        LostBefore,
        LostAfter,
        HangsBefore,
        HangsAfter,
        Says(500, "{}"),
        Says(401, "{}"),
        Says(404, "{}"),
    ];
    join_all(weathers.map(assert_decided_and_told)).await;
}

#[actix_web::test]
async fn the_right_answer_to_another_question_is_none() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let first = id_of(&shop.order("ada", &[(lamp, 1)]).await);
    let second = id_of(&shop.order("ada", &[(lamp, 2)]).await);
    shop.near.inventory.expects([Says(200, "{}"), Says(204, "")]);
    shop.cancel("ada", &first).await.assert_status(200);
    shop.fulfil(&second).await.assert_status(200);
    assert_eq!(
        (shop.ledger.tasks().await, shop.near.stockroom.stock(lamp)),
        (2, [5, 3, 0])
    );
    shop.settle().await;
    assert_eq!(shop.near.stockroom.stock(lamp), [3, 0, 2]);
    shop.assert_books().await;
}

#[actix_web::test]
async fn an_order_that_is_cancelled_while_its_stock_is_being_reserved_keeps_none() {
    for (weather, let_go) in [(HangsBefore, Fair), (HangsAfter, Fair), (HangsBefore, Away)] {
        let shop = shop().await;
        let lamp = shop.product(100, 5);
        shop.near.inventory.is_now(weather).await;
        let ordering = begin(&shop.user("ada"), "/orders", basket(&[(lamp, 2)]));
        eventually("inventory-service is asked", async || {
            shop.near.inventory.arrived() > 0
        })
        .await;
        let order = shop.orders().await[0]["id"].as_str().unwrap().to_owned();
        let begun = Instant::now();
        shop.cancel("ada", &order)
            .await
            .assert(200, json!({"status": "cancelled"}));
        assert!(
            begun.elapsed() < Duration::from_secs(4),
            "whoever reserves tells of the release too"
        );

        shop.near.inventory.is_now(let_go).await;
        ordering
            .await
            .unwrap()
            .assert(201, json!({"id": order, "status": "cancelled"}));
        shop.near.inventory.is_now(Fair).await;
        shop.settle().await;
        assert_eq!(shop.near.stockroom.stock(lamp), [5, 0, 0]);
        shop.assert_books().await;
    }
}
