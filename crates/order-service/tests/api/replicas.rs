//! Two replicas of the service on one database.

use std::time::Duration;

use futures_util::future::{join, join_all};

use crate::fault_proxy::Behaviour::{Down, HangBefore, Healthy, Slow};
use crate::shop::{Shop, basket, eventually, id_of, post_in_background, shop};

async fn two() -> [Shop; 2] {
    let one = shop().await;
    let other = one.replica().await;
    [one, other]
}

#[actix_web::test]
async fn two_replicas_share_the_backlog() {
    let [one, other] = two().await;
    let lamp = one.product(100, 40);
    one.neighbours.inventory.set(Down).await;
    let orders = join_all((0..60).map(async |turn| {
        let shop = if turn % 2 == 0 { &one } else { &other };
        id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(202))
    }))
    .await;
    // A third of the orders is cancelled, each at the other replica.
    join_all(
        orders
            .iter()
            .enumerate()
            .filter(|(turn, _)| turn % 3 == 0)
            .map(async |(turn, order)| {
                let shop = if turn % 2 == 0 { &other } else { &one };
                shop.cancel("ada", order).await.assert_status(200);
            }),
    )
    .await;
    one.neighbours.inventory.set(Healthy).await;
    one.settle().await;
    one.assert_consistent().await;
    let confirmed = one
        .orders()
        .await
        .iter()
        .filter(|order| order["status"] == "confirmed")
        .count();
    assert_eq!(confirmed, 40);
}

#[actix_web::test]
async fn a_task_that_is_executed_twice_takes_effect_once() {
    let [one, other] = two().await;
    let lamp = one.product(100, 1_000);
    // Leases expire before a response arrives, so that both replicas execute every task, some several times.
    one.neighbours
        .inventory
        .set(Slow(Duration::from_millis(600)))
        .await;
    let expire_leases = async {
        loop {
            one.advance(13);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let orders = async {
        let make = async |turn: usize| {
            let shop = if turn.is_multiple_of(2) { &one } else { &other };
            let order = id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(201));
            match turn % 3 {
                0 => drop(shop.cancel("ada", &order).await.assert_status(200)),
                1 => drop(shop.fulfil(&order).await.assert_status(200)),
                _ => {}
            }
        };
        join_all((0..12).map(make)).await;
    };
    tokio::select! { () = orders => {}, () = expire_leases => {} }
    one.neighbours.inventory.set(Healthy).await;
    one.settle().await;
    assert!(
        one.neighbours.fake_inventory.handled() > 20,
        "20 tasks, some of them executed twice: {}",
        one.neighbours.fake_inventory.handled()
    );
    assert_eq!(one.neighbours.fake_inventory.stock(lamp), [996, 4, 4]);
    one.assert_consistent().await;
}

#[actix_web::test]
async fn concurrent_requests_with_one_key_at_both_replicas_place_one_order() {
    let [one, other] = two().await;
    let items = [(one.product(100, 50), 1)];
    one.neighbours
        .inventory
        .set(Slow(Duration::from_millis(400)))
        .await;
    let at = |shop| join_all((0..25).map(|_| Shop::order_with_key(shop, "ada", "k", &items)));
    let (mut answers, others) = join(at(&one), at(&other)).await;
    answers.extend(others);
    for answer in &answers {
        assert_eq!(answer.assert_status(201).json(), answers[0].json());
    }
    assert_eq!(
        (one.db.orders().await, one.neighbours.fake_inventory.handled()),
        (1, 1)
    );
}

#[actix_web::test]
async fn a_replica_finishes_the_order_of_a_crashed_one() {
    let [mut one, other] = two().await;
    let items = [(one.product(100, 50), 1)];
    one.neighbours.inventory.set(HangBefore).await;
    let ordering = post_in_background(
        &one.user("ada").with("idempotency-key", "k"),
        "/orders",
        basket(&items),
    );
    eventually("inventory-service is called", async || {
        one.neighbours.inventory.received() > 0
    })
    .await;
    // A repeated request at the other replica waits for the first one as long as its lease is valid.
    let repeated = post_in_background(
        &other.user("ada").with("idempotency-key", "k"),
        "/orders",
        basket(&items),
    );
    one.crash().await;
    ordering.abort();
    other.neighbours.inventory.set(Healthy).await;
    other.advance(12);
    let repeated = repeated.await.unwrap();
    assert!([201, 202].contains(&repeated.status), "{repeated:?}");
    assert_eq!(repeated.header("idempotent-replayed"), "true");
    other.settle().await;
    assert_eq!(other.status(&id_of(&repeated)).await, "confirmed");
    assert_eq!(other.db.orders().await, 1);
    other.assert_consistent().await;
}

#[actix_web::test]
async fn replicas_respect_leases_while_their_clocks_differ_by_up_to_10_seconds() {
    let one = shop().await;
    let items = [(one.product(100, 50), 1)];
    for behind in [1, -1, 10, -10] {
        let other = one.replica_behind(behind).await;
        // While one replica's call is under way, the worker of the other polls.
        one.neighbours
            .inventory
            .set(Slow(Duration::from_millis(600)))
            .await;
        let handled = one.neighbours.fake_inventory.handled();
        let key = format!("behind-{behind}");
        let (first, repeated) = join(one.order_with_key("ada", &key, &items), async {
            eventually("the stock is being reserved", async || {
                one.neighbours.inventory.received() > handled
            })
            .await;
            other.order_with_key("ada", &key, &items).await
        })
        .await;
        assert_eq!(
            repeated.assert_status(201).json(),
            first.assert_status(201).json(),
            "{behind}"
        );
        other.order("ada", &items).await.assert_status(201);
        assert_eq!(one.neighbours.fake_inventory.handled() - handled, 2, "{behind}");
    }
    one.settle().await;
    one.assert_consistent().await;
}
