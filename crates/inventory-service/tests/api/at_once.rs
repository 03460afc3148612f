//! Many at once: each product is promised once, and nobody waits for ever.

use futures_util::future::{join, join_all};
use serde_json::json;
use test_kit::TestResponse;

use crate::books::Books;
use crate::{order, shop};

fn count(answers: &[TestResponse], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

#[actix_web::test]
async fn of_200_buyers_of_the_last_item_one_gets_it() {
    let shop = shop().await;
    let product = shop.product_with(1).await;
    let buy = async |_| shop.reserve(order(), &[(product, 1)]).await;
    let answers = join_all((0..200).map(buy)).await;
    assert_eq!((count(&answers, 201), count(&answers, 409)), (1, 199));
    for refused in answers.iter().filter(|answer| answer.status == 409) {
        refused.assert_problem(409, "insufficient_stock");
        let short = json!([{"product_id": product, "requested": 1, "available": 0}]);
        assert_eq!(refused.json()["short"], short);
    }
    assert_eq!(shop.stock(product).await, [1, 1, 0]);
    Books::of(&shop).await.assert_right().await;
}

#[actix_web::test]
async fn orders_for_the_same_products_in_any_order_never_wait_for_each_other_in_a_circle() {
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
        let id = order();
        let answer = shop.reserve(id, &items).await;
        if answer.status == 201 {
            // What is done with it crosses the reservations of others, in the same order of products.
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
    Books::of(&shop).await.assert_right().await;
}

#[actix_web::test]
async fn the_same_order_50_times_at_once_is_one_order() {
    let shop = shop().await;
    let (first, second, id) = (
        shop.product_with(100).await,
        shop.product_with(100).await,
        order(),
    );
    let (one, other) = ([(first, 2), (second, 3)], [(second, 3), (first, 2)]);
    let answers = join_all(
        (0..50).map(|turn: u32| shop.reserve(id, if turn.is_multiple_of(2) { &one } else { &other })),
    )
    .await;
    for answer in &answers {
        assert_eq!(answer.assert_status(201).json(), answers[0].json());
    }
    assert_eq!(
        (shop.stock(first).await, shop.stock(second).await),
        ([100, 2, 98], [100, 3, 97])
    );
    let books = Books::of(&shop).await;
    assert_eq!(books.orders().await, 1);
    books.assert_right().await;
}

#[actix_web::test]
async fn a_refusal_at_once_with_its_twins_and_a_restock_is_one_answer() {
    let shop = shop().await;
    for _ in 0..10 {
        let (product, id) = (shop.product_with(1).await, order());
        let items = [(product, 5)];
        let twins = join_all((0..10).map(|_| shop.reserve(id, &items)));
        let (answers, restocked) = join(twins, shop.set(product, 5)).await;
        restocked.assert_status(200);
        let taken = count(&answers, 201);
        assert!(taken == 0 || taken == answers.len(), "{answers:?}");
        for answer in &answers {
            assert_eq!(answer.json()["short"], answers[0].json()["short"]);
        }
        assert_eq!(shop.stock(product).await[1], if taken == 0 { 0 } else { 5 });
    }
    Books::of(&shop).await.assert_right().await;
}

#[actix_web::test]
async fn a_release_at_once_with_its_reservation_leaves_nothing_promised() {
    let shop = shop().await;
    let product = shop.product_with(50).await;
    let race = async |turn: usize| {
        let id = order();
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
    Books::of(&shop).await.assert_right().await;
}

#[actix_web::test]
async fn of_a_commit_and_a_release_at_once_one_is_done() {
    let shop = shop().await;
    let product = shop.product_with(50).await;
    let race = async |turn: usize| {
        let id = order();
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
    let gone: i64 = join_all((0..50).map(race)).await.iter().sum();
    assert_eq!(shop.stock(product).await, [50 - gone, 0, 50 - gone]);
    Books::of(&shop).await.assert_right().await;
}

#[actix_web::test]
async fn a_commit_30_times_at_once_takes_the_goods_once() {
    let shop = shop().await;
    let (product, id) = (shop.product_with(10).await, order());
    shop.reserve(id, &[(product, 4)]).await.assert_status(201);
    for answer in join_all((0..30).map(|_| shop.commit(id))).await {
        answer.assert(200, json!({"state": "committed"}));
    }
    assert_eq!(shop.stock(product).await, [6, 0, 6]);
    Books::of(&shop).await.assert_right().await;
}

#[actix_web::test]
async fn counts_and_reservations_at_once_never_promise_more_than_there_is() {
    let shop = shop().await;
    let product = shop.product_with(20).await;
    let items = [(product, 1)];
    let counts = join_all((0..40).map(|on_hand| shop.set(product, on_hand)));
    let orders = join_all((0..40).map(|_| shop.reserve(order(), &items)));
    let (counts, orders) = join(counts, orders).await;
    for answer in &counts {
        if answer.status != 200 {
            answer.assert_problem(409, "below_reserved");
        }
    }
    let reserved = i64::try_from(count(&orders, 201)).unwrap();
    assert_eq!(shop.stock(product).await[1], reserved);
    Books::of(&shop).await.assert_right().await;
}
