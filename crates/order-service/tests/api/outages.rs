//! Ordering while inventory-service does not answer as it should: the order stands, and is finished later.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::shop::{eventually, id_of, shop};
use crate::weather::Weather::{self, Away, Fair, HangsAfter, HangsBefore, LostAfter, LostBefore, Says, Slow};

/// An order is taken in this weather, and confirmed once it is over, with its stock reserved once.
async fn assert_kept_and_finished(weather: Weather) {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    shop.near.inventory.is_now(weather).await;
    let begun = Instant::now();
    let answer = shop.order_with_key("ada", "k", &[(lamp, 2)]).await;
    assert!(
        begun.elapsed() < Duration::from_secs(12),
        "{weather:?}: {:?}",
        begun.elapsed()
    );
    answer.assert(202, json!({"status": "pending", "total_cents": 200}));
    let id = id_of(&answer);
    assert_eq!(shop.show(&id).await, answer.json(), "{weather:?}");
    // Whoever asks again does not wait for the worker.
    let again = shop.order_with_key("ada", "k", &[(lamp, 2)]).await;
    assert_eq!(again.assert_status(202).json(), answer.json(), "{weather:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(12),
        "{weather:?}: {:?}",
        begun.elapsed()
    );

    shop.near.inventory.is_now(Fair).await;
    shop.settle().await;
    assert_eq!(shop.status(&id).await, "confirmed", "{weather:?}");
    assert_eq!(shop.near.stockroom.stock(lamp), [5, 2, 0], "{weather:?}");
    shop.assert_books().await;
    let again = shop.order_with_key("ada", "k", &[(lamp, 2)]).await;
    again.assert(201, json!({"id": id, "status": "confirmed"}));
}

#[actix_web::test]
async fn an_order_is_kept_while_inventory_service_is_out_of_reach() {
    join_all([Away, LostBefore, LostAfter].map(assert_kept_and_finished)).await;
}

#[actix_web::test]
async fn an_order_is_kept_while_inventory_service_hangs() {
    join_all([HangsBefore, HangsAfter, Slow(Duration::from_secs(20))].map(assert_kept_and_finished)).await;
}

#[actix_web::test]
async fn an_order_is_kept_while_inventory_service_fails() {
    join_all([500, 503].map(|status| assert_kept_and_finished(Says(status, r#"{"code": "internal"}"#))))
        .await;
}

#[actix_web::test]
async fn an_order_is_kept_while_inventory_service_answers_what_it_should_not() {
    let answers = [
        Says(200, "{}"),
        Says(204, ""),
        Says(301, ""),
        Says(400, "<html>"),
        Says(401, "{}"),
        Says(403, r#"{"code": "forbidden"}"#),
        Says(404, r#"{"code": "not_found"}"#),
        Says(409, ""),
        Says(409, "{}"),
        Says(409, r#"{"code": "reservation_mismatch"}"#),
        Says(409, r#"{"code": "insufficient_stock", "short": 7}"#),
        Says(422, r#"{"code": "invalid_body"}"#),
    ];
    join_all(answers.map(assert_kept_and_finished)).await;
}

#[actix_web::test]
async fn an_order_is_kept_while_user_service_gives_no_token() {
    let give_none = async |weather| {
        let shop = shop().await;
        let lamp = shop.product(100, 5);
        shop.near.tokens.is_now(weather).await;
        let answer = shop.order("ada", &[(lamp, 2)]).await;
        answer.assert(202, json!({"status": "pending"}));
        assert_eq!(shop.near.inventory.arrived(), 0, "{weather:?}");
        shop.near.tokens.is_now(Fair).await;
        shop.settle().await;
        assert_eq!(shop.status(&id_of(&answer)).await, "confirmed", "{weather:?}");
        shop.assert_books().await;
    };
    join_all([Away, LostBefore, HangsBefore, Says(500, "{}"), Says(200, "{}")].map(give_none)).await;
}

#[actix_web::test]
async fn a_call_that_is_lost_is_made_again_while_whoever_asked_waits() {
    for weather in [LostBefore, LostAfter, Says(503, "{}")] {
        let shop = shop().await;
        let lamp = shop.product(100, 5);
        let lose_the_next_call = || shop.near.inventory.expects([weather]);
        lose_the_next_call();
        let first = id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(201));
        lose_the_next_call();
        let second = id_of(shop.order("ada", &[(lamp, 2)]).await.assert_status(201));
        lose_the_next_call();
        shop.cancel("ada", &first).await.assert_status(200);
        lose_the_next_call();
        shop.fulfil(&second).await.assert_status(200);
        assert_eq!(shop.near.stockroom.stock(lamp), [3, 0, 2], "{weather:?}");
        shop.assert_books().await;
    }
}

#[actix_web::test]
async fn what_failed_is_tried_again_after_a_pause() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    shop.near
        .inventory
        .expects([Says(500, "{}"), Slow(Duration::from_millis(600))]);
    let failed = id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(202));
    // While this is made the worker looks around, more than once, by a clock that stands still.
    shop.order("ada", &[(lamp, 1)]).await.assert_status(201);
    assert_eq!(
        (shop.near.inventory.arrived(), shop.status(&failed).await.as_str()),
        (2, "pending")
    );
    shop.advance(1);
    eventually("it is tried again", async || {
        shop.status(&failed).await == "confirmed"
    })
    .await;
    shop.assert_books().await;
}

#[actix_web::test]
async fn an_order_that_is_kept_may_turn_out_to_be_for_more_than_there_is() {
    let shop = shop().await;
    let lamp = shop.product(100, 1);
    shop.near.inventory.is_now(Away).await;
    let order = shop.order_with_key("ada", "k", &[(lamp, 2)]).await;
    order.assert(202, json!({"status": "pending"}));
    shop.near.inventory.is_now(Fair).await;
    shop.settle().await;
    let answer = shop.order_with_key("ada", "k", &[(lamp, 2)]).await;
    answer.assert_problem(409, "insufficient_stock");
    assert_eq!(answer.json()["order"]["id"], id_of(&order));
    assert_eq!(
        answer.json()["short"],
        json!([{"product_id": lamp, "requested": 2, "available": 1}])
    );
    shop.assert_books().await;
}

#[actix_web::test]
async fn while_inventory_service_is_away_nobody_waits_for_it_and_all_is_done_when_it_is_back() {
    let shop = shop().await;
    let lamp = shop.product(100, 1_000);
    shop.near.inventory.is_now(Away).await;
    let begun = Instant::now();
    for _ in 0..100 {
        shop.order("ada", &[(lamp, 1)]).await.assert_status(202);
        // The worker tries what it has, in vain.
        shop.advance(1);
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(shop.ledger.tasks().await, 100);
    shop.near.inventory.is_now(Fair).await;
    shop.settle().await;
    assert_eq!(shop.near.stockroom.stock(lamp), [1_000, 100, 0]);
    shop.assert_books().await;
}

#[actix_web::test]
async fn what_is_due_while_inventory_service_is_left_alone_is_done_as_soon_as_it_is_not() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    shop.near.inventory.is_now(LostBefore).await;
    let order = id_of(shop.order("ada", &[(lamp, 2)]).await.assert_status(202));
    // Each time it is asked thrice, and ten failures in a row are enough.
    eventually("it is left alone", async || {
        shop.advance(1);
        shop.ledger.attempts().await >= 4
    })
    .await;
    assert_eq!(shop.near.inventory.arrived(), 10);
    shop.near.inventory.is_now(Fair).await;
    shop.advance(60);
    // From here on the clock stands still: a task that was tried in vain meanwhile would not be due again.
    eventually("it is confirmed", async || {
        shop.status(&order).await == "confirmed"
    })
    .await;
    shop.assert_books().await;
}

#[actix_web::test]
async fn an_order_that_inventory_service_never_takes_keeps_no_other_waiting() {
    let shop = shop().await;
    let (lamp, cursed) = (shop.product(100, 10), shop.product(100, 10));
    shop.near
        .inventory
        .expects([Says(409, r#"{"code": "reservation_mismatch"}"#)]);
    let never = id_of(shop.order("ada", &[(cursed, 1)]).await.assert_status(202));
    // From here on that is what inventory-service itself says.
    shop.near.stockroom.refuse(never.parse().unwrap());

    shop.near.inventory.expects([LostBefore, LostBefore, LostBefore]);
    let later = id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(202));
    eventually("the other is confirmed", async || {
        shop.advance(1);
        shop.status(&later).await == "confirmed"
    })
    .await;
    shop.order("ada", &[(lamp, 1)]).await.assert_status(201);
    assert_eq!(shop.status(&never).await, "pending");
    assert_eq!(shop.ledger.tasks().await, 1);
}

#[actix_web::test]
async fn orders_that_wait_for_inventory_service_keep_nobody_from_the_database() {
    // More than either engine has connections.
    const WAITING: usize = 12;
    let shop = shop().await;
    let lamp = shop.product(100, 100);
    shop.near.inventory.is_now(HangsBefore).await;
    let wanted = [(lamp, 1)];
    let waiting = join_all((0..WAITING).map(|_| shop.order("ada", &wanted)));
    let others = async {
        eventually("all of them wait", async || {
            shop.near.inventory.arrived() >= WAITING
        })
        .await;
        shop.anonymous().get("/health/ready").await.assert_status(200);
        shop.user("bob").get("/orders").await.assert_status(200);
        shop.near.inventory.is_now(Fair).await;
    };
    futures_util::future::join(waiting, others).await;
    shop.settle().await;
    shop.assert_books().await;
}

#[actix_web::test]
async fn whoever_orders_is_answered_before_they_lose_patience() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    // Prices come at the second attempt, and then inventory-service uses up what time is left.
    shop.near
        .products
        .expects([Slow(Duration::from_secs(10)), Slow(Duration::from_millis(1_600))]);
    shop.near.inventory.is_now(HangsBefore).await;
    let begun = Instant::now();
    let order = id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(202));
    assert!(
        begun.elapsed() < Duration::from_millis(9_600),
        "{:?}",
        begun.elapsed()
    );
    shop.near.inventory.is_now(Fair).await;
    shop.settle().await;
    assert_eq!(shop.status(&order).await, "confirmed");
    shop.assert_books().await;
}

#[actix_web::test]
async fn what_was_left_while_the_clock_was_fast_is_done_when_it_is_right_again() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    shop.advance(3_600);
    shop.near.inventory.expects([Says(500, "{}")]);
    let order = id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(202));
    shop.advance(-3_600);
    eventually("it is confirmed", async || {
        shop.status(&order).await == "confirmed"
    })
    .await;
    shop.assert_books().await;
}

#[actix_web::test]
async fn an_order_that_inventory_service_has_as_released_is_cancelled() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    shop.near.inventory.expects([Says(500, "{}")]);
    let order = id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(202));
    // As after a restore: the orders are those of a time at which this one was not cancelled yet.
    shop.near.stockroom.release(order.parse().unwrap());
    shop.settle().await;
    assert_eq!(shop.status(&order).await, "cancelled");
    shop.assert_books().await;
}
