//! Reservations that are refused, because of the caller or of the body.

use actix_web::http::Method;
use serde_json::{Value, json};
use test_kit::TestResponse;
use uuid::Uuid;

use crate::journal::Journal;
use crate::{Shop, lines, new_id, shop};

#[actix_web::test]
async fn only_order_service_may_reserve_commit_and_release() {
    let shop = shop().await;
    let (product, id, reserved) = (shop.product_with(5).await, new_id(), new_id());
    shop.reserve(reserved, &[(product, 2)]).await.assert_status(201);
    let journal = Journal::of(&shop).await;
    let entries = journal.entries(product).await;
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
                .post(&format!("/reservations/{reserved}/commit"), json!({}))
                .await,
            other.delete(&format!("/reservations/{reserved}")).await,
            other.delete(&format!("/reservations/{id}")).await,
        ];
        for refused in refusals {
            refused.assert_problem(403, "forbidden");
        }
    }
    assert_eq!(
        (journal.reservations().await, journal.entries(product).await),
        (1, entries)
    );
    assert_eq!(shop.stock(product).await, [5, 2, 3]);
    shop.reserve(id, &[(product, 1)]).await.assert_status(201);
    shop.commit(reserved).await.assert_status(200);
}

/// Sends a body as raw text.
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
        let body = format!(r#"{{"order_id": "{}", "items": [{line}]}}"#, new_id());
        reserve(&shop, body).await.assert_invalid("items[0].quantity");
    }
    shop.reserve(new_id(), &[(product, 10_000)])
        .await
        .assert_status(201);
    assert_eq!(shop.stock(product).await, [20_000, 10_000, 10_000]);
}

#[actix_web::test]
async fn a_reservation_has_1_to_50_items_and_no_product_twice() {
    let shop = shop().await;
    let products: Vec<_> = (0..51).map(|_| new_id()).collect();
    let items: Vec<_> = products.iter().map(|product| (*product, 1)).collect();
    shop.reserve(new_id(), &[]).await.assert_invalid("items");
    shop.reserve(new_id(), &items).await.assert_invalid("items");
    shop.reserve(new_id(), &items[..50])
        .await
        .assert_problem(409, "insufficient_stock");

    let [lamp, chair] = [products[0], products[1]];
    let twice = [(lamp, 1), (chair, 1), (lamp, 2)];
    shop.reserve(new_id(), &twice)
        .await
        .assert_invalid("items[2].product_id");
}

#[actix_web::test]
async fn ids_in_a_body_have_one_spelling() {
    let shop = shop().await;
    let (lamp, order) = (new_id().to_string(), new_id().to_string());
    let body = |order: &str, product: &str| json!({"order_id": order, "items": [{"product_id": product, "quantity": 1}]});
    for (body, field) in [
        (body(&order.to_uppercase(), &lamp), "order_id"),
        (body(&order.replace('-', ""), &lamp), "order_id"),
        (body(&order, &lamp.to_uppercase()), "items[0].product_id"),
        (body(&order, &format!("urn:uuid:{lamp}")), "items[0].product_id"),
    ] {
        shop.orders
            .post("/reservations", body)
            .await
            .assert_invalid(field);
    }
}

#[actix_web::test]
async fn an_invalid_missing_or_unknown_field_is_named() {
    let shop = shop().await;
    let (id, line) = (new_id(), json!({"product_id": new_id(), "quantity": 1}));
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
        (with("items", json!([[new_id(), 1]])), "items[0]"),
        (with("items", json!([line, null])), "items[1]"),
        (
            with("items", json!([{"product_id": new_id()}])),
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
                json!([{"product_id": new_id(), "quantity": 1, "price": 0}]),
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
    assert_eq!(Journal::of(&shop).await.reservations().await, 0);
}

#[actix_web::test]
async fn a_body_over_the_size_limit_is_refused() {
    let shop = shop().await;
    let line = format!(r#"{{"product_id":"{}","quantity":1}}"#, new_id());
    let body = format!(
        r#"{{"order_id":"{}","items":[{}]}}"#,
        new_id(),
        vec![line; 1_000_000].join(",")
    );
    reserve(&shop, body)
        .await
        .assert_problem(413, "payload_too_large");
    // This body is within the size limit but has too many items.
    let lines = vec![r#"{"product_id":"0195","quantity":1}"#; 1_500].join(",");
    let body = format!(r#"{{"order_id":"{}","items":[{lines}]}}"#, new_id());
    reserve(&shop, body).await.assert_problem(422, "invalid_body");
}

#[actix_web::test]
async fn a_commit_accepts_no_members() {
    let shop = shop().await;
    let (product, id) = (shop.product_with(5).await, new_id());
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
