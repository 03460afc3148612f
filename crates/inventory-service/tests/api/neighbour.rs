//! What works, and what doesn't, while product-service does not.

use std::time::{Duration, Instant};

use futures_util::future::join;
use serde_json::json;

use crate::catalogue::Mood;
use crate::{Shop, order, shop, url};

/// Stock that is known here, and reservations, need no product-service.
async fn assert_shop_goes_on(shop: &Shop, product: uuid::Uuid) {
    shop.service
        .anonymous()
        .get(&url(product))
        .await
        .assert_status(200);
    let id = order();
    shop.reserve(id, &[(product, 1)]).await.assert_status(201);
    shop.commit(id).await.assert_status(200);
}

/// What has to be asked there is refused for now, with a word on when to come again.
async fn assert_told_to_come_again(shop: &Shop, product: uuid::Uuid) {
    let answers = [
        shop.service.anonymous().get(&url(order())).await,
        shop.set(product, 9).await,
        shop.service
            .admin()
            .put(&url(product), json!({"on_hand": 9}))
            .await,
    ];
    for answer in answers {
        answer.assert_problem(503, "product_service_unavailable");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
        assert_eq!(answer.json()["detail"], "product-service can't be asked.");
    }
}

#[actix_web::test]
async fn while_it_is_down_what_it_has_to_be_asked_for_waits() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    shop.catalogue.close().await;
    assert_told_to_come_again(&shop, product).await;
    assert_shop_goes_on(&shop, product).await;
    assert_eq!(shop.stock(product).await, [4, 0, 4]);
}

#[actix_web::test]
async fn while_it_hangs_nobody_waits_for_long_and_nobody_else_waits_at_all() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    shop.catalogue.is_now(Mood::Silent);
    let begun = Instant::now();
    let others = async {
        // Were the question asked within a transaction, these would wait for its end.
        assert_shop_goes_on(&shop, product).await;
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    };
    let (asked, ()) = join(shop.set(product, 9), others).await;
    asked.assert_problem(503, "product_service_unavailable");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[actix_web::test]
async fn an_answer_that_makes_no_sense_is_no_answer() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    for (status, body) in [
        (200, ""),
        (200, "<html>"),
        (200, "{}"),
        (200, r#"{"owner_id": null}"#),
        (200, r#"{"owner_id": "ada"}"#),
        (200, "[]"),
        (204, ""),
        (401, "{}"),
        (429, "{}"),
    ] {
        shop.catalogue.is_now(Mood::Garbled(status, body));
        assert_told_to_come_again(&shop, product).await;
    }
    assert_eq!(shop.stock(product).await, [5, 0, 5]);
    shop.catalogue.is_now(Mood::Well);
    shop.set(product, 9).await.assert_status(200);
}

#[actix_web::test]
async fn an_error_there_is_not_passed_on() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    for status in [500, 503] {
        shop.catalogue.is_now(Mood::Garbled(
            status,
            r#"{"code": "internal", "detail": "secrets"}"#,
        ));
        assert_told_to_come_again(&shop, product).await;
    }
    assert_shop_goes_on(&shop, product).await;
}

#[actix_web::test]
async fn a_product_that_was_taken_down_keeps_its_stock_until_its_orders_are_done() {
    let shop = shop().await;
    let (product, id) = (shop.product_with(5).await, order());
    shop.reserve(id, &[(product, 2)]).await.assert_status(201);
    shop.catalogue.take_down(product);
    assert_eq!(shop.stock(product).await, [5, 2, 3]);
    shop.set(product, 9)
        .await
        .assert_problem(404, "product_not_found");
    shop.commit(id).await.assert_status(200);
    assert_eq!(shop.stock(product).await, [3, 0, 3]);
}
