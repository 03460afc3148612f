//! Concurrent requests: no item is reserved twice, and no requests deadlock.

use futures_util::future::{join, join_all};
use serde_json::json;
use test_kit::TestResponse;

use crate::journal::Journal;
use crate::{new_id, shop};

fn count(answers: &[TestResponse], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

#[actix_web::test]
async fn one_of_200_concurrent_orders_gets_the_last_item() {
    let shop = shop().await;
    let product = shop.product_with(1).await;
    let buy = async |_| shop.reserve(new_id(), &[(product, 1)]).await;
    let answers = join_all((0..200).map(buy)).await;
    assert_eq!((count(&answers, 201), count(&answers, 409)), (1, 199));
    for refused in answers.iter().filter(|answer| answer.status == 409) {
        refused.assert_problem(409, "insufficient_stock");
        let short = json!([{"product_id": product, "requested": 1, "available": 0}]);
        assert_eq!(refused.json()["short"], short);
    }
    assert_eq!(shop.stock(product).await, [1, 1, 0]);
    Journal::of(&shop).await.assert_consistent().await;
}

#[actix_web::test]
async fn concurrent_orders_with_the_same_products_never_deadlock() {
    let shop = shop().await;
    let mut products = Vec::new();
    for _ in 0..5 {
        products.push(shop.product_with(60).await);
    }
    let buy = async |turn: usize| {
        let mut items: Vec<_> = products.iter().map(|product| (*product, 1)).collect();
        items.rotate_left(turn % 5);
        if turn.is_multiple_of(2) {
            items.reverse();
        }
        let id = new_id();
        let answer = shop.reserve(id, &items).await;
        if answer.status == 201 {
            // These lock the same products as the concurrent reservations.
            match turn % 3 {
                0 => drop(shop.commit(id).await.assert_status(200)),
                1 => drop(shop.release(id).await.assert_status(204)),
                _ => {}
            }
        }
        answer
    };
    let answers = join_all((0..100).map(buy)).await;
    for answer in &answers {
        assert!([201, 409].contains(&answer.status), "{answer:?}");
    }
    let first = shop.stock(products[0]).await;
    for product in &products {
        assert_eq!(shop.stock(*product).await, first);
    }
    assert!(count(&answers, 201) >= 60);
    Journal::of(&shop).await.assert_consistent().await;
}

#[actix_web::test]
async fn concurrent_reservations_of_one_order_make_one_reservation() {
    let shop = shop().await;
    let (first, second, id) = (
        shop.product_with(100).await,
        shop.product_with(100).await,
        new_id(),
    );
    let (sorted, reversed) = ([(first, 2), (second, 3)], [(second, 3), (first, 2)]);
    let answers = join_all((0..50).map(|turn: u32| {
        shop.reserve(
            id,
            if turn.is_multiple_of(2) {
                &sorted
            } else {
                &reversed
            },
        )
    }))
    .await;
    for answer in &answers {
        assert_eq!(answer.assert_status(201).json(), answers[0].json());
    }
    assert_eq!(
        (shop.stock(first).await, shop.stock(second).await),
        ([100, 2, 98], [100, 3, 97])
    );
    let journal = Journal::of(&shop).await;
    assert_eq!(journal.reservations().await, 1);
    journal.assert_consistent().await;
}

#[actix_web::test]
async fn concurrent_reservations_of_one_order_get_one_answer_despite_a_restock() {
    let shop = shop().await;
    for _ in 0..10 {
        let (product, id) = (shop.product_with(1).await, new_id());
        let items = [(product, 5)];
        let reservations = join_all((0..10).map(|_| shop.reserve(id, &items)));
        let (answers, restocked) = join(reservations, shop.set(product, 5)).await;
        restocked.assert_status(200);
        let reserved = count(&answers, 201);
        assert!(reserved == 0 || reserved == answers.len(), "{answers:?}");
        for answer in &answers {
            assert_eq!(answer.json()["short"], answers[0].json()["short"]);
        }
        assert_eq!(shop.stock(product).await[1], if reserved == 0 { 0 } else { 5 });
    }
    Journal::of(&shop).await.assert_consistent().await;
}

#[actix_web::test]
async fn a_release_concurrent_with_its_reservation_leaves_nothing_reserved() {
    let shop = shop().await;
    let product = shop.product_with(50).await;
    let race = async |turn: usize| {
        let id = new_id();
        let items = [(product, 1)];
        let (reserved, released) = if turn.is_multiple_of(2) {
            join(shop.reserve(id, &items), shop.release(id)).await
        } else {
            let (released, reserved) = join(shop.release(id), shop.reserve(id, &items)).await;
            (reserved, released)
        };
        released.assert_status(204);
        if reserved.status != 201 {
            reserved.assert_problem(409, "released");
        }
        shop.reserve(id, &items).await.assert_problem(409, "released");
    };
    join_all((0..50).map(race)).await;
    assert_eq!(shop.stock(product).await, [50, 0, 50]);
    Journal::of(&shop).await.assert_consistent().await;
}

#[actix_web::test]
async fn one_of_a_concurrent_commit_and_release_succeeds() {
    let shop = shop().await;
    let product = shop.product_with(50).await;
    let race = async |turn: usize| {
        let id = new_id();
        shop.reserve(id, &[(product, 1)]).await.assert_status(201);
        let (committed, released) = if turn.is_multiple_of(2) {
            join(shop.commit(id), shop.release(id)).await
        } else {
            let (released, committed) = join(shop.release(id), shop.commit(id)).await;
            (committed, released)
        };
        if committed.status == 200 {
            released.assert_problem(409, "committed");
            1
        } else {
            released.assert_status(204);
            committed.assert_problem(409, "released");
            0
        }
    };
    let shipped: i64 = join_all((0..50).map(race)).await.iter().sum();
    assert_eq!(shop.stock(product).await, [50 - shipped, 0, 50 - shipped]);
    Journal::of(&shop).await.assert_consistent().await;
}

#[actix_web::test]
async fn concurrent_commits_take_the_stock_out_once() {
    let shop = shop().await;
    let (product, id) = (shop.product_with(10).await, new_id());
    shop.reserve(id, &[(product, 4)]).await.assert_status(201);
    for answer in join_all((0..30).map(|_| shop.commit(id))).await {
        answer.assert(200, json!({"state": "committed"}));
    }
    assert_eq!(shop.stock(product).await, [6, 0, 6]);
    Journal::of(&shop).await.assert_consistent().await;
}

#[actix_web::test]
async fn concurrent_counts_and_reservations_never_reserve_more_than_is_on_hand() {
    let shop = shop().await;
    let product = shop.product_with(20).await;
    let items = [(product, 1)];
    let counts = join_all((0..40).map(|on_hand| shop.set(product, on_hand)));
    let orders = join_all((0..40).map(|_| shop.reserve(new_id(), &items)));
    let (counts, orders) = join(counts, orders).await;
    for answer in &counts {
        if answer.status != 200 {
            answer.assert_problem(409, "below_reserved");
        }
    }
    let reserved = i64::try_from(count(&orders, 201)).unwrap();
    assert_eq!(shop.stock(product).await[1], reserved);
    Journal::of(&shop).await.assert_consistent().await;
}
