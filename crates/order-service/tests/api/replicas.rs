//! Two replicas of the service on one database.

use std::time::Duration;

use futures_util::future::{join, join_all};

use crate::shop::{Shop, basket, begin, eventually, id_of, shop};
use crate::weather::Weather::{Away, Fair, HangsBefore, Slow};

async fn two() -> [Shop; 2] {
    let one = shop().await;
    let other = one.replica().await;
    [one, other]
}

#[actix_web::test]
async fn two_replicas_share_what_is_left_to_do() {
    let [one, other] = two().await;
    let lamp = one.product(100, 40);
    one.near.inventory.is_now(Away).await;
    let orders = join_all((0..60).map(async |turn| {
        let shop = if turn % 2 == 0 { &one } else { &other };
        id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(202))
    }))
    .await;
    // A third of them is cancelled, at the other replica.
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
    one.near.inventory.is_now(Fair).await;
    one.settle().await;
    one.assert_books().await;
    let confirmed = one
        .orders()
        .await
        .iter()
        .filter(|order| order["status"] == "confirmed")
        .count();
    assert_eq!(confirmed, 40);
}

#[actix_web::test]
async fn told_twice_is_told_once() {
    let [one, other] = two().await;
    let lamp = one.product(100, 1_000);
    // Every lease has ended before an answer comes, so that both replicas tell everything, again and again.
    one.near.inventory.is_now(Slow(Duration::from_millis(600))).await;
    let hurry = async {
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
    tokio::select! { () = orders => {}, () = hurry => {} }
    one.near.inventory.is_now(Fair).await;
    one.settle().await;
    assert!(
        one.near.stockroom.told() > 20,
        "20 tasks, some of them told twice: {}",
        one.near.stockroom.told()
    );
    assert_eq!(one.near.stockroom.stock(lamp), [996, 4, 4]);
    one.assert_books().await;
}

#[actix_web::test]
async fn the_same_order_at_both_replicas_at_once_is_one_order() {
    let [one, other] = two().await;
    let items = [(one.product(100, 50), 1)];
    one.near.inventory.is_now(Slow(Duration::from_millis(400))).await;
    let at = |shop| join_all((0..25).map(|_| Shop::order_with_key(shop, "ada", "k", &items)));
    let (mut answers, others) = join(at(&one), at(&other)).await;
    answers.extend(others);
    for answer in &answers {
        assert_eq!(answer.assert_status(201).json(), answers[0].json());
    }
    assert_eq!((one.ledger.orders().await, one.near.stockroom.told()), (1, 1));
}

#[actix_web::test]
async fn what_one_replica_dies_over_the_other_finishes() {
    let [mut one, other] = two().await;
    let items = [(one.product(100, 50), 1)];
    one.near.inventory.is_now(HangsBefore).await;
    let ordering = begin(
        &one.user("ada").with("idempotency-key", "k"),
        "/orders",
        basket(&items),
    );
    eventually("inventory-service is asked", async || {
        one.near.inventory.arrived() > 0
    })
    .await;
    // Whoever asks the other meanwhile waits for the first, as long as that may still be at it.
    let twin = begin(
        &other.user("ada").with("idempotency-key", "k"),
        "/orders",
        basket(&items),
    );
    one.crash().await;
    ordering.abort();
    other.near.inventory.is_now(Fair).await;
    other.advance(12);
    let twin = twin.await.unwrap();
    assert!([201, 202].contains(&twin.status), "{twin:?}");
    assert_eq!(twin.header("idempotent-replayed"), "true");
    other.settle().await;
    assert_eq!(other.status(&id_of(&twin)).await, "confirmed");
    assert_eq!(other.ledger.orders().await, 1);
    other.assert_books().await;
}

#[actix_web::test]
async fn replicas_whose_clocks_differ_a_little_leave_each_other_s_work_alone() {
    let one = shop().await;
    let items = [(one.product(100, 50), 1)];
    for behind in [1, -1, 10, -10] {
        let other = one.replica_behind(behind).await;
        // Each of them looks for something to do while the other tells.
        one.near.inventory.is_now(Slow(Duration::from_millis(600))).await;
        let told = one.near.stockroom.told();
        let key = format!("at-one-{behind}");
        let (made, twin) = join(one.order_with_key("ada", &key, &items), async {
            eventually("it is being made", async || one.near.inventory.arrived() > told).await;
            other.order_with_key("ada", &key, &items).await
        })
        .await;
        assert_eq!(
            twin.assert_status(201).json(),
            made.assert_status(201).json(),
            "{behind}"
        );
        other.order("ada", &items).await.assert_status(201);
        assert_eq!(one.near.stockroom.told() - told, 2, "{behind}");
    }
    one.settle().await;
    one.assert_books().await;
}
