//! Placing orders while inventory-service fails: the order is kept and finished later.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde_json::json;

use crate::fault_proxy::Behaviour::{
    self, Down, DropAfter, DropBefore, HangAfter, HangBefore, Healthy, Reply, Slow,
};
use crate::shop::{eventually, id_of, shop};

/// Checks that an order is accepted while inventory-service behaves like this, and later confirmed and reserved once.
async fn assert_kept_and_finished(behaviour: Behaviour) {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    shop.neighbours.inventory.set(behaviour).await;
    let started = Instant::now();
    let answer = shop.order_with_key("ada", "k", &[(lamp, 2)]).await;
    assert!(
        started.elapsed() < Duration::from_secs(12),
        "{behaviour:?}: {:?}",
        started.elapsed()
    );
    answer.assert(202, json!({"status": "pending", "total_cents": 200}));
    let id = id_of(&answer);
    assert_eq!(shop.show(&id).await, answer.json(), "{behaviour:?}");
    // A repeated request does not wait for the worker.
    let again = shop.order_with_key("ada", "k", &[(lamp, 2)]).await;
    assert_eq!(again.assert_status(202).json(), answer.json(), "{behaviour:?}");
    assert!(
        started.elapsed() < Duration::from_secs(12),
        "{behaviour:?}: {:?}",
        started.elapsed()
    );

    shop.neighbours.inventory.set(Healthy).await;
    shop.settle().await;
    assert_eq!(shop.status(&id).await, "confirmed", "{behaviour:?}");
    assert_eq!(
        shop.neighbours.fake_inventory.stock(lamp),
        [5, 2, 0],
        "{behaviour:?}"
    );
    shop.assert_consistent().await;
    let again = shop.order_with_key("ada", "k", &[(lamp, 2)]).await;
    again.assert(201, json!({"id": id, "status": "confirmed"}));
}

#[actix_web::test]
async fn an_order_is_kept_while_inventory_service_is_unreachable() {
    join_all([Down, DropBefore, DropAfter].map(assert_kept_and_finished)).await;
}

#[actix_web::test]
async fn an_order_is_kept_while_inventory_service_hangs() {
    join_all([HangBefore, HangAfter, Slow(Duration::from_secs(20))].map(assert_kept_and_finished)).await;
}

#[actix_web::test]
async fn an_order_is_kept_while_inventory_service_fails() {
    join_all([500, 503].map(|status| assert_kept_and_finished(Reply(status, r#"{"code": "internal"}"#))))
        .await;
}

#[actix_web::test]
async fn an_order_is_kept_while_inventory_service_sends_unexpected_responses() {
    let answers = [
        Reply(200, "{}"),
        Reply(204, ""),
        Reply(301, ""),
        Reply(400, "<html>"),
        Reply(401, "{}"),
        Reply(403, r#"{"code": "forbidden"}"#),
        Reply(404, r#"{"code": "not_found"}"#),
        Reply(409, ""),
        Reply(409, "{}"),
        Reply(409, r#"{"code": "reservation_mismatch"}"#),
        Reply(409, r#"{"code": "insufficient_stock", "short": 7}"#),
        Reply(422, r#"{"code": "invalid_body"}"#),
    ];
    join_all(answers.map(assert_kept_and_finished)).await;
}

#[actix_web::test]
async fn an_order_is_kept_while_user_service_issues_no_token() {
    let check = async |behaviour| {
        let shop = shop().await;
        let lamp = shop.product(100, 5);
        shop.neighbours.tokens.set(behaviour).await;
        let answer = shop.order("ada", &[(lamp, 2)]).await;
        answer.assert(202, json!({"status": "pending"}));
        assert_eq!(shop.neighbours.inventory.received(), 0, "{behaviour:?}");
        shop.neighbours.tokens.set(Healthy).await;
        shop.settle().await;
        assert_eq!(shop.status(&id_of(&answer)).await, "confirmed", "{behaviour:?}");
        shop.assert_consistent().await;
    };
    join_all([Down, DropBefore, HangBefore, Reply(500, "{}"), Reply(200, "{}")].map(check)).await;
}

#[actix_web::test]
async fn a_dropped_call_is_retried_within_the_request() {
    for behaviour in [DropBefore, DropAfter, Reply(503, "{}")] {
        let shop = shop().await;
        let lamp = shop.product(100, 5);
        let fail_next_call = || shop.neighbours.inventory.queue([behaviour]);
        fail_next_call();
        let first = id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(201));
        fail_next_call();
        let second = id_of(shop.order("ada", &[(lamp, 2)]).await.assert_status(201));
        fail_next_call();
        shop.cancel("ada", &first).await.assert_status(200);
        fail_next_call();
        shop.fulfil(&second).await.assert_status(200);
        assert_eq!(
            shop.neighbours.fake_inventory.stock(lamp),
            [3, 0, 2],
            "{behaviour:?}"
        );
        shop.assert_consistent().await;
    }
}

#[actix_web::test]
async fn a_failed_task_is_retried_after_a_delay() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    shop.neighbours
        .inventory
        .queue([Reply(500, "{}"), Slow(Duration::from_millis(600))]);
    let failed = id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(202));
    // Meanwhile the worker polls more than once, but the clock stands still, so the failed task is not due.
    shop.order("ada", &[(lamp, 1)]).await.assert_status(201);
    assert_eq!(
        (
            shop.neighbours.inventory.received(),
            shop.status(&failed).await.as_str()
        ),
        (2, "pending")
    );
    shop.advance(1);
    eventually("the task is retried", async || {
        shop.status(&failed).await == "confirmed"
    })
    .await;
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn a_pending_order_is_rejected_later_if_stock_is_short() {
    let shop = shop().await;
    let lamp = shop.product(100, 1);
    shop.neighbours.inventory.set(Down).await;
    let order = shop.order_with_key("ada", "k", &[(lamp, 2)]).await;
    order.assert(202, json!({"status": "pending"}));
    shop.neighbours.inventory.set(Healthy).await;
    shop.settle().await;
    let answer = shop.order_with_key("ada", "k", &[(lamp, 2)]).await;
    answer.assert_problem(409, "insufficient_stock");
    assert_eq!(answer.json()["order"]["id"], id_of(&order));
    assert_eq!(
        answer.json()["short"],
        json!([{"product_id": lamp, "requested": 2, "available": 1}])
    );
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn a_long_outage_delays_no_request_and_the_backlog_is_worked_off_afterwards() {
    let shop = shop().await;
    let lamp = shop.product(100, 1_000);
    shop.neighbours.inventory.set(Down).await;
    let started = Instant::now();
    for _ in 0..100 {
        shop.order("ada", &[(lamp, 1)]).await.assert_status(202);
        // The worker retries due tasks, which fail.
        shop.advance(1);
    }
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(shop.db.tasks().await, 100);
    shop.neighbours.inventory.set(Healthy).await;
    shop.settle().await;
    assert_eq!(shop.neighbours.fake_inventory.stock(lamp), [1_000, 100, 0]);
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn a_task_that_becomes_due_while_the_circuit_is_open_runs_once_it_closes() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    shop.neighbours.inventory.set(DropBefore).await;
    let order = id_of(shop.order("ada", &[(lamp, 2)]).await.assert_status(202));
    // Each attempt makes up to three calls, and ten consecutive failures open the circuit.
    eventually("the circuit opens", async || {
        shop.advance(1);
        shop.db.attempts().await >= 4
    })
    .await;
    assert_eq!(shop.neighbours.inventory.received(), 10);
    shop.neighbours.inventory.set(Healthy).await;
    shop.advance(60);
    // From here on the clock stands still: if the worker had tried the task while the circuit was open, it would not be due.
    eventually("the order is confirmed", async || {
        shop.status(&order).await == "confirmed"
    })
    .await;
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn an_order_that_inventory_service_always_refuses_delays_no_other() {
    let shop = shop().await;
    let (lamp, refused) = (shop.product(100, 10), shop.product(100, 10));
    shop.neighbours
        .inventory
        .queue([Reply(409, r#"{"code": "reservation_mismatch"}"#)]);
    let never = id_of(shop.order("ada", &[(refused, 1)]).await.assert_status(202));
    // From here on the fake inventory-service answers the same.
    shop.neighbours
        .fake_inventory
        .store_mismatch(never.parse().unwrap());

    shop.neighbours
        .inventory
        .queue([DropBefore, DropBefore, DropBefore]);
    let later = id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(202));
    eventually("the other order is confirmed", async || {
        shop.advance(1);
        shop.status(&later).await == "confirmed"
    })
    .await;
    shop.order("ada", &[(lamp, 1)]).await.assert_status(201);
    assert_eq!(shop.status(&never).await, "pending");
    assert_eq!(shop.db.tasks().await, 1);
}

#[actix_web::test]
async fn orders_that_wait_for_inventory_service_hold_no_database_connection() {
    // More than the connection pool of either engine.
    const WAITING: usize = 12;
    let shop = shop().await;
    let lamp = shop.product(100, 100);
    shop.neighbours.inventory.set(HangBefore).await;
    let wanted = [(lamp, 1)];
    let waiting = join_all((0..WAITING).map(|_| shop.order("ada", &wanted)));
    let others = async {
        eventually("all orders wait", async || {
            shop.neighbours.inventory.received() >= WAITING
        })
        .await;
        shop.anonymous().get("/health/ready").await.assert_status(200);
        shop.user("bob").get("/orders").await.assert_status(200);
        shop.neighbours.inventory.set(Healthy).await;
    };
    futures_util::future::join(waiting, others).await;
    shop.settle().await;
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn an_order_is_answered_before_the_gateway_times_out() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    // Prices arrive with the second attempt, and inventory-service uses up the remaining time.
    shop.neighbours
        .products
        .queue([Slow(Duration::from_secs(10)), Slow(Duration::from_millis(1_600))]);
    shop.neighbours.inventory.set(HangBefore).await;
    let started = Instant::now();
    let order = id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(202));
    assert!(
        started.elapsed() < Duration::from_millis(9_600),
        "{:?}",
        started.elapsed()
    );
    shop.neighbours.inventory.set(Healthy).await;
    shop.settle().await;
    assert_eq!(shop.status(&order).await, "confirmed");
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn a_task_that_was_leased_by_a_fast_clock_is_executed_after_the_clock_is_set_back() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    shop.advance(3_600);
    shop.neighbours.inventory.queue([Reply(500, "{}")]);
    let order = id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(202));
    shop.advance(-3_600);
    eventually("the order is confirmed", async || {
        shop.status(&order).await == "confirmed"
    })
    .await;
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn a_panicking_worker_is_restarted_and_finishes_the_order() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    shop.neighbours.inventory.queue([Reply(500, "{}")]);
    let order = id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(202));

    // At the end of chrono's range of dates, adding the length of a lease to the current time panics.
    let seconds = (DateTime::<Utc>::MAX_UTC - shop.issuer().clock().now()).num_seconds();
    shop.advance(seconds);
    eventually("the worker keeps panicking", async || {
        let ready = shop.anonymous().get("/health/ready").await;
        ready.status == 503 && ready.body.contains("stock worker")
    })
    .await;
    shop.advance(-seconds);

    shop.settle().await;
    assert_eq!(shop.status(&order).await, "confirmed");
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn a_pending_order_whose_reservation_was_released_is_cancelled() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    shop.neighbours.inventory.queue([Reply(500, "{}")]);
    let order = id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(202));
    // As after restoring the orders from a backup that is older than the cancellation.
    shop.neighbours.fake_inventory.release(order.parse().unwrap());
    shop.settle().await;
    assert_eq!(shop.status(&order).await, "cancelled");
    shop.assert_consistent().await;
}
