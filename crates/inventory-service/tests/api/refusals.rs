//! What order-service may not say, and who may not say anything.

use actix_web::http::Method;
use serde_json::{Value, json};
use test_kit::TestResponse;
use uuid::Uuid;

use crate::books::Books;
use crate::{Shop, lines, order, shop};

#[actix_web::test]
async fn only_order_service_reserves_commits_and_releases() {
    let shop = shop().await;
    let (product, id, kept) = (shop.product_with(5).await, order(), order());
    shop.reserve(kept, &[(product, 2)]).await.assert_status(201);
    let books = Books::of(&shop).await;
    let journal = books.journal(product).await;
    let service = &shop.service;
    for other in [
        service.user("ada"),
        service.support(),
        service.admin(),
        service.service("product-service"),
        service.service("user-service"),
        service.service("inventory-service"),
        service.service("order-service-2"),
    ] {
        let items = lines(&[(product, 1)]);
        let refusals = [
            other
                .post("/reservations", json!({"order_id": id, "items": items}))
                .await,
            other
                .post(&format!("/reservations/{kept}/commit"), json!({}))
                .await,
            other.delete(&format!("/reservations/{kept}")).await,
            other.delete(&format!("/reservations/{id}")).await,
        ];
        for refused in refusals {
            refused.assert_problem(403, "forbidden");
        }
    }
    assert_eq!((books.orders().await, books.journal(product).await), (1, journal));
    assert_eq!(shop.stock(product).await, [5, 2, 3]);
    shop.reserve(id, &[(product, 1)]).await.assert_status(201);
    shop.commit(kept).await.assert_status(200);
}

/// Sends a reservation as it is written here.
async fn reserve(shop: &Shop, body: String) -> TestResponse {
    let orders = shop.orders.with("content-type", "application/json");
    orders
        .send(&Method::POST, "/reservations", |request| request.body(body))
        .await
}

#[actix_web::test]
async fn a_quantity_is_a_whole_number_from_1_to_10000() {
    let shop = shop().await;
    let product = shop.product_with(20_000).await;
    for quantity in [
        "-1",
        "0",
        "10001",
        "9223372036854775807",
        "9223372036854775808",
        "1.5",
        "\"1\"",
        "null",
        "[1]",
    ] {
        let line = format!(r#"{{"product_id": "{product}", "quantity": {quantity}}}"#);
        let body = format!(r#"{{"order_id": "{}", "items": [{line}]}}"#, order());
        reserve(&shop, body).await.assert_invalid("items[0].quantity");
    }
    shop.reserve(order(), &[(product, 10_000)])
        .await
        .assert_status(201);
    assert_eq!(shop.stock(product).await, [20_000, 10_000, 10_000]);
}

#[actix_web::test]
async fn an_order_has_1_to_50_lines_and_no_product_twice() {
    let shop = shop().await;
    let products: Vec<_> = (0..51).map(|_| order()).collect();
    let items: Vec<_> = products.iter().map(|product| (*product, 1)).collect();
    shop.reserve(order(), &[]).await.assert_invalid("items");
    shop.reserve(order(), &items).await.assert_invalid("items");
    shop.reserve(order(), &items[..50])
        .await
        .assert_problem(409, "insufficient_stock");

    let [lamp, chair] = [products[0], products[1]];
    let twice = [(lamp, 1), (chair, 1), (lamp, 2)];
    shop.reserve(order(), &twice)
        .await
        .assert_invalid("items[2].product_id");
    let spelled = json!([
        {"product_id": lamp, "quantity": 1},
        {"product_id": lamp.to_string().to_uppercase(), "quantity": 1},
    ]);
    let body = json!({"order_id": order(), "items": spelled});
    shop.orders
        .post("/reservations", body)
        .await
        .assert_invalid("items[1].product_id");
}

#[actix_web::test]
async fn a_field_that_is_missing_unknown_or_of_another_kind_is_named() {
    let shop = shop().await;
    let (id, line) = (order(), json!({"product_id": order(), "quantity": 1}));
    let with = |member: &str, value: Value| {
        let mut body = json!({"order_id": id, "items": [line]});
        body[member] = value;
        body
    };
    let wrong = [
        (with("order_id", json!("1")), "order_id"),
        (with("order_id", json!(Uuid::nil())), "order_id"),
        (with("order_id", Value::Null), "order_id"),
        (with("state", json!("committed")), "state"),
        (with("items", json!({})), "items"),
        (with("items", json!("x")), "items"),
        (with("items", json!([[order(), 1]])), "items[0]"),
        (with("items", json!([line, null])), "items[1]"),
        (
            with("items", json!([{"product_id": order()}])),
            "items[0].quantity",
        ),
        (with("items", json!([{"quantity": 1}])), "items[0].product_id"),
        (
            with("items", json!([{"product_id": "x", "quantity": 1}])),
            "items[0].product_id",
        ),
        (
            with(
                "items",
                json!([{"product_id": order(), "quantity": 1, "price": 0}]),
            ),
            "items[0].price",
        ),
        (json!({"items": [line]}), "order_id"),
        (json!({"order_id": id}), "items"),
    ];
    for (body, field) in wrong {
        shop.orders
            .post("/reservations", body)
            .await
            .assert_invalid(field);
    }
    assert_eq!(Books::of(&shop).await.orders().await, 0);
}

#[actix_web::test]
async fn a_million_lines_are_not_read() {
    let shop = shop().await;
    let line = format!(r#"{{"product_id":"{}","quantity":1}}"#, order());
    let body = format!(
        r#"{{"order_id":"{}","items":[{}]}}"#,
        order(),
        vec![line; 1_000_000].join(",")
    );
    reserve(&shop, body)
        .await
        .assert_problem(413, "payload_too_large");
    // As many as fit are read, and are too many.
    let lines = vec![r#"{"product_id":"0195","quantity":1}"#; 1_500].join(",");
    let body = format!(r#"{{"order_id":"{}","items":[{lines}]}}"#, order());
    reserve(&shop, body).await.assert_problem(422, "invalid_body");
}

#[actix_web::test]
async fn a_commit_has_nothing_else_to_say() {
    let shop = shop().await;
    let (product, id) = (shop.product_with(5).await, order());
    shop.reserve(id, &[(product, 1)]).await.assert_status(201);
    let path = format!("/reservations/{id}/commit");
    shop.orders
        .post(&path, json!({"items": []}))
        .await
        .assert_invalid("items");
    assert_eq!(shop.stock(product).await, [5, 1, 4]);
    shop.orders
        .send(&Method::POST, &path, |request| request)
        .await
        .assert_status(200);
}
