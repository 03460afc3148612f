//! Requests while product-service fails.

use std::time::{Duration, Instant};

use futures_util::future::join;
use serde_json::json;

use crate::catalogue::Behaviour;
use crate::{Shop, new_id, shop, url};

/// Reading existing stock, reserving and committing need no product-service.
async fn assert_orders_work(shop: &Shop, product: uuid::Uuid) {
    shop.service
        .anonymous()
        .get(&url(product))
        .await
        .assert_status(200);
    let id = new_id();
    shop.reserve(id, &[(product, 1)]).await.assert_status(201);
    shop.commit(id).await.assert_status(200);
}

/// Requests that need product-service are answered with 503 and `Retry-After`.
async fn assert_unavailable(shop: &Shop, product: uuid::Uuid) {
    let answers = [
        shop.service.anonymous().get(&url(new_id())).await,
        shop.set(product, 9).await,
        shop.service
            .admin()
            .put(&url(product), json!({"on_hand": 9}))
            .await,
    ];
    for answer in answers {
        answer.assert_problem(503, "product_service_unavailable");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
        assert_eq!(answer.json()["detail"], "product-service is unavailable.");
    }
}

#[actix_web::test]
async fn only_requests_that_need_product_service_fail_while_it_is_down() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    shop.catalogue.close().await;
    assert_unavailable(&shop, product).await;
    assert_orders_work(&shop, product).await;
    assert_eq!(shop.stock(product).await, [4, 0, 4]);
}

#[actix_web::test]
async fn a_hanging_product_service_delays_only_requests_that_need_it() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    shop.catalogue.set(Behaviour::Hangs);
    let started = Instant::now();
    let others = async {
        // If the call were made within a transaction, these requests would wait for its end.
        assert_orders_work(&shop, product).await;
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "{:?}",
            started.elapsed()
        );
    };
    let (refused, ()) = join(shop.set(product, 9), others).await;
    refused.assert_problem(503, "product_service_unavailable");
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
}

#[actix_web::test]
async fn an_invalid_response_counts_as_unavailable() {
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
        shop.catalogue.set(Behaviour::Replies(status, body));
        assert_unavailable(&shop, product).await;
    }
    assert_eq!(shop.stock(product).await, [5, 0, 5]);
    shop.catalogue.set(Behaviour::Healthy);
    shop.set(product, 9).await.assert_status(200);
}

#[actix_web::test]
async fn an_error_of_product_service_is_not_passed_on() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    for status in [500, 503] {
        shop.catalogue.set(Behaviour::Replies(
            status,
            r#"{"code": "internal", "detail": "secrets"}"#,
        ));
        assert_unavailable(&shop, product).await;
    }
    assert_orders_work(&shop, product).await;
}

#[actix_web::test]
async fn a_deleted_product_keeps_its_stock_for_its_orders() {
    let shop = shop().await;
    let (product, id) = (shop.product_with(5).await, new_id());
    shop.reserve(id, &[(product, 2)]).await.assert_status(201);
    shop.catalogue.remove(product);
    assert_eq!(shop.stock(product).await, [5, 2, 3]);
    shop.set(product, 9)
        .await
        .assert_problem(404, "product_not_found");
    shop.commit(id).await.assert_status(200);
    assert_eq!(shop.stock(product).await, [3, 0, 3]);
}
