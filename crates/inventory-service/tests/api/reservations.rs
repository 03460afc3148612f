//! Reserving, committing and releasing stock.

use serde_json::json;

use crate::journal::Journal;
use crate::{lines, new_id, shop};

#[actix_web::test]
async fn a_reservation_reserves_all_items() {
    let shop = shop().await;
    let (first, second, id) = (shop.product_with(5).await, shop.product_with(9).await, new_id());
    let reserved = shop.reserve(id, &[(second, 4), (first, 5)]).await;
    reserved.assert_status(201);
    let body = reserved.json();
    assert_eq!(body["items"], lines(&[(first, 5), (second, 4)]));
    assert_eq!(
        (&body["order_id"], &body["state"]),
        (&json!(id), &json!("reserved"))
    );
    assert!(body["created_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(body.as_object().unwrap().len(), 4, "{body}");
    assert_eq!(
        (shop.stock(first).await, shop.stock(second).await),
        ([5, 5, 0], [9, 4, 5])
    );
}

#[actix_web::test]
async fn nothing_is_reserved_if_a_product_is_short_and_each_short_product_is_named() {
    let shop = shop().await;
    let [enough, none, few, unknown] = [
        shop.product_with(9).await,
        shop.product(),
        shop.product_with(2).await,
        new_id(),
    ];
    shop.reserve(new_id(), &[(few, 1)]).await.assert_status(201);
    let refused = shop
        .reserve(new_id(), &[(unknown, 1), (few, 2), (enough, 9), (none, 3)])
        .await;
    refused.assert_problem(409, "insufficient_stock");
    let short = json!([
        {"product_id": none, "requested": 3, "available": 0},
        {"product_id": few, "requested": 2, "available": 1},
        {"product_id": unknown, "requested": 1, "available": 0},
    ]);
    assert_eq!(refused.json()["short"], short);
    assert_eq!(
        (shop.stock(enough).await, shop.stock(few).await),
        ([9, 0, 9], [2, 1, 1])
    );
    let journal = Journal::of(&shop).await;
    assert_eq!(journal.entries(enough).await.len(), 1);
    journal.assert_consistent().await;
}

#[actix_web::test]
async fn a_repeated_reservation_gets_the_same_answer_in_any_sequence_of_items() {
    let shop = shop().await;
    let (first, second, id) = (shop.product_with(5).await, shop.product_with(5).await, new_id());
    let answer = shop
        .reserve(id, &[(first, 1), (second, 2)])
        .await
        .assert_status(201)
        .json();
    shop.service
        .issuer()
        .clock()
        .advance(chrono::TimeDelta::seconds(60));
    for items in [[(first, 1), (second, 2)], [(second, 2), (first, 1)]] {
        assert_eq!(shop.reserve(id, &items).await.assert_status(201).json(), answer);
    }
    assert_eq!(
        (shop.stock(first).await, shop.stock(second).await),
        ([5, 1, 4], [5, 2, 3])
    );
    for other in [
        &[(first, 1)][..],
        &[(first, 2), (second, 1)],
        &[(first, 1), (second, 2), (new_id(), 1)],
        &[(first, 1), (new_id(), 2)],
    ] {
        shop.reserve(id, other)
            .await
            .assert_problem(409, "reservation_mismatch");
    }
    assert_eq!(shop.stock(first).await, [5, 1, 4]);
}

#[actix_web::test]
async fn a_refusal_is_repeated_even_after_a_restock() {
    let shop = shop().await;
    let (product, id) = (shop.product_with(1).await, new_id());
    let short = shop.reserve(id, &[(product, 2)]).await.assert_status(409).json()["short"].clone();
    assert_eq!(
        short,
        json!([{"product_id": product, "requested": 2, "available": 1}])
    );
    shop.set(product, 100).await.assert_status(200);
    let again = shop.reserve(id, &[(product, 2)]).await;
    again.assert_problem(409, "insufficient_stock");
    assert_eq!(again.json()["short"], short);
    shop.reserve(id, &[(product, 1)])
        .await
        .assert_problem(409, "reservation_mismatch");
    shop.commit(id).await.assert_problem(409, "not_reserved");
    assert_eq!(shop.stock(product).await, [100, 0, 100]);
    shop.reserve(new_id(), &[(product, 2)]).await.assert_status(201);
}

#[actix_web::test]
async fn a_commit_takes_the_stock_out_once() {
    let shop = shop().await;
    let (product, id) = (shop.product_with(5).await, new_id());
    shop.reserve(id, &[(product, 2)]).await.assert_status(201);
    let committed = shop.commit(id).await.assert_status(200).json();
    assert_eq!(
        (&committed["state"], &committed["items"]),
        (&json!("committed"), &lines(&[(product, 2)]))
    );
    for _ in 0..2 {
        assert_eq!(shop.commit(id).await.assert_status(200).json(), committed);
        // It is the same order, so it is no new one that could be refused.
        assert_eq!(
            shop.reserve(id, &[(product, 2)]).await.assert_status(201).json(),
            committed
        );
        shop.reserve(id, &[(product, 1)])
            .await
            .assert_problem(409, "reservation_mismatch");
        shop.release(id).await.assert_problem(409, "committed");
    }
    assert_eq!(shop.stock(product).await, [3, 0, 3]);
    let entry =
        |kind: &str, on_hand, reserved| (kind.to_owned(), on_hand, reserved, "order-service".to_owned());
    let journal = Journal::of(&shop).await;
    assert_eq!(
        journal.entries(product).await[1..],
        [entry("reserve", 0, 2), entry("commit", -2, -2)]
    );
    journal.assert_consistent().await;
}

#[actix_web::test]
async fn released_stock_is_available_again_and_its_order_is_final() {
    let shop = shop().await;
    let (product, id) = (shop.product_with(5).await, new_id());
    shop.reserve(id, &[(product, 5)]).await.assert_status(201);
    for _ in 0..2 {
        assert_eq!(shop.release(id).await.assert_status(204).body, "");
        assert_eq!(shop.stock(product).await, [5, 0, 5]);
        shop.reserve(id, &[(product, 5)])
            .await
            .assert_problem(409, "released");
        shop.reserve(id, &[(product, 1)])
            .await
            .assert_problem(409, "released");
        shop.commit(id).await.assert_problem(409, "released");
    }
    shop.reserve(new_id(), &[(product, 5)]).await.assert_status(201);
    let journal = Journal::of(&shop).await;
    let kinds: Vec<_> = journal
        .entries(product)
        .await
        .into_iter()
        .map(|(kind, ..)| kind)
        .collect();
    assert_eq!(kinds, ["set", "reserve", "release", "reserve"]);
    journal.assert_consistent().await;
}

#[actix_web::test]
async fn an_order_that_is_released_first_can_t_reserve_later() {
    let shop = shop().await;
    let (product, id) = (shop.product_with(5).await, new_id());
    shop.release(id).await.assert_status(204);
    shop.reserve(id, &[(product, 1)])
        .await
        .assert_problem(409, "released");
    shop.commit(id).await.assert_problem(409, "released");
    shop.release(id).await.assert_status(204);
    assert_eq!(shop.stock(product).await, [5, 0, 5]);
}

#[actix_web::test]
async fn a_refused_order_can_be_released() {
    let shop = shop().await;
    let (product, id) = (shop.product_with(1).await, new_id());
    shop.reserve(id, &[(product, 2)])
        .await
        .assert_problem(409, "insufficient_stock");
    shop.release(id).await.assert_status(204);
    shop.reserve(id, &[(product, 2)])
        .await
        .assert_problem(409, "released");
    assert_eq!(shop.stock(product).await, [1, 0, 1]);
}

#[actix_web::test]
async fn an_order_without_a_reservation_can_t_be_committed() {
    let shop = shop().await;
    shop.commit(new_id())
        .await
        .assert_problem(404, "reservation_not_found");
    let id = new_id();
    let product = shop.product_with(1).await;
    shop.commit(id).await.assert_problem(404, "reservation_not_found");
    shop.reserve(id, &[(product, 1)]).await.assert_status(201);
}

#[actix_web::test]
async fn a_malformed_id_releases_nothing() {
    let shop = shop().await;
    shop.orders.delete("/reservations/x").await.assert_status(204);
    shop.orders
        .post("/reservations/x/commit", json!({}))
        .await
        .assert_problem(404, "reservation_not_found");
    assert_eq!(Journal::of(&shop).await.reservations().await, 0);
}
