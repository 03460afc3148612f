//! Repeating a request with the same `Idempotency-Key`.

use std::time::Duration;

use actix_web::http::Method;
use futures_util::future::join_all;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use test_kit::{Client, TestResponse};
use uuid::Uuid;

use crate::fault_proxy::Behaviour::{Down, Healthy, Slow};
use crate::shop::{basket, id_of, shop};

pub const REPLAYED: &str = "idempotent-replayed";

/// Sends a body as raw text.
async fn send(client: &Client, body: String) -> TestResponse {
    let with_body =
        |request: reqwest::RequestBuilder| request.header("content-type", "application/json").body(body);
    client.send(&Method::POST, "/orders", with_body).await
}

#[actix_web::test]
async fn a_repeated_request_returns_the_first_order() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let first = shop.order_with_key("ada", "k", &[(lamp, 2)]).await;
    assert_eq!(first.assert_status(201).header(REPLAYED), "");
    // Neither the current price nor the availability of neighbours matters.
    shop.neighbours.catalogue.remove(lamp);
    shop.neighbours.products.set(Down).await;
    shop.neighbours.inventory.set(Down).await;
    let again = shop.order_with_key("ada", "k", &[(lamp, 2)]).await;
    assert_eq!(again.assert_status(201).json(), first.json());
    assert_eq!(
        (again.header(REPLAYED), again.header("location")),
        ("true", first.header("location"))
    );
    assert_eq!(shop.db.orders().await, 1);
}

#[actix_web::test]
async fn a_repeated_request_returns_the_current_state_of_the_order() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let (fulfilled, cancelled) = (
        id_of(
            shop.order_with_key("ada", "fulfilled", &[(lamp, 1)])
                .await
                .assert_status(201),
        ),
        id_of(
            shop.order_with_key("ada", "cancelled", &[(lamp, 1)])
                .await
                .assert_status(201),
        ),
    );
    let refused = shop.order_with_key("ada", "refused", &[(lamp, 9)]).await;
    refused.assert_problem(409, "insufficient_stock");
    shop.admin()
        .post(&format!("/orders/{fulfilled}/fulfil"), json!({}))
        .await
        .assert_status(200);
    shop.user("ada")
        .post(&format!("/orders/{cancelled}/cancel"), json!({}))
        .await
        .assert_status(200);
    shop.neighbours.fake_inventory.restock(lamp, 100);
    shop.neighbours.inventory.set(Down).await;
    let pending = shop.order_with_key("ada", "pending", &[(lamp, 1)]).await;
    pending.assert_status(202);

    let again = async |key: &str, quantity| shop.order_with_key("ada", key, &[(lamp, quantity)]).await;
    again("fulfilled", 1)
        .await
        .assert(201, json!({"id": fulfilled, "status": "fulfilled"}));
    again("cancelled", 1)
        .await
        .assert(201, json!({"id": cancelled, "status": "cancelled"}));
    again("pending", 1)
        .await
        .assert(202, json!({"id": id_of(&pending), "status": "pending"}));
    let refused_again = again("refused", 9).await;
    refused_again.assert_problem(409, "insufficient_stock");
    for member in ["order", "short"] {
        assert_eq!(refused_again.json()[member], refused.json()[member]);
    }
    assert_eq!(
        (refused_again.header(REPLAYED), refused_again.header("location")),
        ("true", refused.header("location"))
    );
    assert_eq!((shop.db.orders().await, shop.db.keys().await), (4, 4));
}

#[actix_web::test]
async fn bodies_are_compared_as_parsed() {
    let shop = shop().await;
    let (lamp, shade) = (shop.product(100, 50), shop.product(100, 50));
    let ada = shop.user("ada").with("idempotency-key", "k");
    let first = ada
        .post("/orders", basket(&[(lamp, 1), (shade, 2)]))
        .await
        .assert_status(201)
        .json();
    for same in [
        format!(
            r#"{{"items":[{{"product_id":"{lamp}","quantity":1}},{{"product_id":"{shade}","quantity":2}}]}}"#
        ),
        format!(
            "\n{{ \"items\" : [ {{\"quantity\": 1,\t\"product_id\": \"{lamp}\"}},\r\n\
             {{\"quantity\": 2, \"product\\u005fid\": \"{shade}\"}} ] }}\n"
        ),
    ] {
        assert_eq!(send(&ada, same).await.assert_status(201).json(), first);
    }
    for other in [
        basket(&[(lamp, 1)]),
        basket(&[(lamp, 1), (shade, 3)]),
        basket(&[(shade, 2), (lamp, 1)]),
        basket(&[(lamp, 1), (Uuid::from_u128(7), 2)]),
    ] {
        ada.post("/orders", other)
            .await
            .assert_problem(422, "idempotency_mismatch");
    }
    // An invalid body is reported as such, not as a mismatch.
    ada.post("/orders", basket(&[])).await.assert_invalid("items");
    assert_eq!(shop.db.orders().await, 1);
}

#[actix_web::test]
async fn keys_are_per_user_and_case_sensitive() {
    let shop = shop().await;
    let lamp = shop.product(100, 50);
    let mut ids = Vec::new();
    for (name, key) in [("ada", "k"), ("bob", "k"), ("ada", "K"), ("ada", "kk")] {
        let answer = shop.order_with_key(name, key, &[(lamp, 1)]).await;
        assert_eq!(answer.assert_status(201).header(REPLAYED), "");
        ids.push(id_of(&answer));
    }
    // Ada used this key with another body. Bob's request is independent of that.
    shop.order_with_key("bob", "K", &[(lamp, 2)])
        .await
        .assert(201, json!({"total_cents": 200}));
    let ids: std::collections::BTreeSet<_> = ids.into_iter().collect();
    assert_eq!((ids.len(), shop.db.orders().await), (4, 5));
}

#[actix_web::test]
async fn concurrent_requests_with_one_key_place_one_order_and_get_one_answer() {
    let shop = shop().await;
    let lamp = shop.product(100, 50);
    // Slower than the worker's poll interval.
    shop.neighbours
        .inventory
        .set(Slow(Duration::from_millis(400)))
        .await;
    for (key, items, status) in [("enough", [(lamp, 1)], 201), ("too-much", [(lamp, 100)], 409)] {
        let (handled, orders) = (shop.neighbours.fake_inventory.handled(), shop.db.orders().await);
        let answers = join_all((0..50).map(|_| shop.order_with_key("ada", key, &items))).await;
        let same = |answer: &TestResponse| {
            let mut body = answer.assert_status(status).json();
            body["request_id"] = Value::Null;
            (body, id_of(answer))
        };
        assert!(answers.iter().all(|answer| same(answer) == same(&answers[0])));
        assert_eq!(
            answers
                .iter()
                .filter(|answer| answer.header(REPLAYED).is_empty())
                .count(),
            1
        );
        assert_eq!(
            (
                shop.neighbours.fake_inventory.handled() - handled,
                shop.db.orders().await - orders
            ),
            (1, 1)
        );
    }
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn one_of_many_concurrent_different_orders_with_one_key_is_placed() {
    let shop = shop().await;
    let lamp = shop.product(100, 50);
    let answers =
        join_all((1..=20).map(async |quantity| shop.order_with_key("ada", "k", &[(lamp, quantity)]).await))
            .await;
    let (placed, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!(placed.len(), 1);
    for answer in refused {
        answer.assert_problem(422, "idempotency_mismatch");
    }
    assert_eq!(shop.db.orders().await, 1);
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn a_key_has_1_to_255_visible_ascii_characters() {
    let shop = shop().await;
    let body = basket(&[(shop.product(100, 50), 1)]);
    let ada = shop.user("ada");
    for key in ["", " ", "a b", "a\tb", &"x".repeat(256), "a, b"] {
        ada.with("idempotency-key", key)
            .post("/orders", body.clone())
            .await
            .assert_problem(400, "invalid_header");
    }
    for key in [&b"\xe9"[..], "é".as_bytes(), "🙂".as_bytes(), b"a\xff"] {
        let key = HeaderValue::from_bytes(key).unwrap();
        let with_key = |request: reqwest::RequestBuilder| request.header("idempotency-key", key).json(&body);
        ada.send(&Method::POST, "/orders", with_key)
            .await
            .assert_problem(400, "invalid_header");
    }
    let twice = ada.with("idempotency-key", "a").with("idempotency-key", "a");
    twice
        .post("/orders", body.clone())
        .await
        .assert_problem(400, "invalid_header");
    assert_eq!(shop.db.orders().await, 0);
    for key in ["a", "!~", "'or/**/1=1--", "$1", &"x".repeat(255)] {
        for replayed in ["", "true"] {
            let answer = ada
                .with("idempotency-key", key)
                .post("/orders", body.clone())
                .await;
            assert_eq!(answer.assert_status(201).header(REPLAYED), replayed, "{key}");
        }
    }
}

#[actix_web::test]
async fn a_refused_request_leaves_its_key_free() {
    let shop = shop().await;
    let lamp = shop.product(100, 50);
    shop.order_with_key("ada", "k", &[(Uuid::from_u128(7), 1)])
        .await
        .assert_invalid("items[0].product_id");
    shop.neighbours.products.set(Down).await;
    shop.order_with_key("ada", "k", &[(lamp, 1)])
        .await
        .assert_problem(503, "product_service_unavailable");
    shop.neighbours.products.set(Healthy).await;
    shop.order_with_key("ada", "k", &[(lamp, 2)])
        .await
        .assert(201, json!({"total_cents": 200}));
}
