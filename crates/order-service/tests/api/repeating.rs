//! The same order again, by its `Idempotency-Key`.

use std::time::Duration;

use actix_web::http::Method;
use futures_util::future::join_all;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use test_kit::{Client, TestResponse};
use uuid::Uuid;

use crate::shop::{basket, id_of, shop};
use crate::weather::Weather::{Away, Fair, Slow};

pub const REPLAYED: &str = "idempotent-replayed";

/// Sends a body as it is written.
async fn send(client: &Client, body: String) -> TestResponse {
    let with_body =
        |request: reqwest::RequestBuilder| request.header("content-type", "application/json").body(body);
    client.send(&Method::POST, "/orders", with_body).await
}

#[actix_web::test]
async fn the_same_order_again_is_the_same_order() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let first = shop.order_with_key("ada", "k", &[(lamp, 2)]).await;
    assert_eq!(first.assert_status(201).header(REPLAYED), "");
    // Neither what it costs by now nor whether anybody answers makes a difference.
    shop.near.catalogue.take_down(lamp);
    shop.near.products.is_now(Away).await;
    shop.near.inventory.is_now(Away).await;
    let again = shop.order_with_key("ada", "k", &[(lamp, 2)]).await;
    assert_eq!(again.assert_status(201).json(), first.json());
    assert_eq!(
        (again.header(REPLAYED), again.header("location")),
        ("true", first.header("location"))
    );
    assert_eq!(shop.ledger.orders().await, 1);
}

#[actix_web::test]
async fn the_same_order_again_is_answered_as_it_is_by_then() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let (sent, kept) = (
        id_of(
            shop.order_with_key("ada", "sent", &[(lamp, 1)])
                .await
                .assert_status(201),
        ),
        id_of(
            shop.order_with_key("ada", "kept", &[(lamp, 1)])
                .await
                .assert_status(201),
        ),
    );
    let refused = shop.order_with_key("ada", "refused", &[(lamp, 9)]).await;
    refused.assert_problem(409, "insufficient_stock");
    shop.admin()
        .post(&format!("/orders/{sent}/fulfil"), json!({}))
        .await
        .assert_status(200);
    shop.user("ada")
        .post(&format!("/orders/{kept}/cancel"), json!({}))
        .await
        .assert_status(200);
    shop.near.stockroom.restock(lamp, 100);
    shop.near.inventory.is_now(Away).await;
    let pending = shop.order_with_key("ada", "pending", &[(lamp, 1)]).await;
    pending.assert_status(202);

    let again = async |key: &str, quantity| shop.order_with_key("ada", key, &[(lamp, quantity)]).await;
    again("sent", 1)
        .await
        .assert(201, json!({"id": sent, "status": "fulfilled"}));
    again("kept", 1)
        .await
        .assert(201, json!({"id": kept, "status": "cancelled"}));
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
    assert_eq!((shop.ledger.orders().await, shop.ledger.keys().await), (4, 4));
}

#[actix_web::test]
async fn what_is_compared_is_what_a_body_says() {
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
             {{\"quantity\": 2, \"product\\u005fid\": \"{}\"}} ] }}\n",
            shade.to_string().to_uppercase()
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
    // What is no order at all is told as that.
    ada.post("/orders", basket(&[])).await.assert_invalid("items");
    assert_eq!(shop.ledger.orders().await, 1);
}

#[actix_web::test]
async fn keys_are_each_person_s_own_and_case_matters() {
    let shop = shop().await;
    let lamp = shop.product(100, 50);
    let mut ids = Vec::new();
    for (name, key) in [("ada", "k"), ("bob", "k"), ("ada", "K"), ("ada", "kk")] {
        let answer = shop.order_with_key(name, key, &[(lamp, 1)]).await;
        assert_eq!(answer.assert_status(201).header(REPLAYED), "");
        ids.push(id_of(&answer));
    }
    // Nor does it matter to bob with what body ada's key came.
    shop.order_with_key("bob", "K", &[(lamp, 2)])
        .await
        .assert(201, json!({"total_cents": 200}));
    let ids: std::collections::BTreeSet<_> = ids.into_iter().collect();
    assert_eq!((ids.len(), shop.ledger.orders().await), (4, 5));
}

#[actix_web::test]
async fn the_same_order_50_times_at_once_is_one_order_with_one_answer() {
    let shop = shop().await;
    let lamp = shop.product(100, 50);
    // Slower than the worker looks for something to do.
    shop.near.inventory.is_now(Slow(Duration::from_millis(400))).await;
    for (key, items, status) in [("enough", [(lamp, 1)], 201), ("too-much", [(lamp, 100)], 409)] {
        let (told, made) = (shop.near.stockroom.told(), shop.ledger.orders().await);
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
                shop.near.stockroom.told() - told,
                shop.ledger.orders().await - made
            ),
            (1, 1)
        );
    }
    shop.assert_books().await;
}

#[actix_web::test]
async fn different_orders_with_one_key_at_once_are_one_order_and_refusals() {
    let shop = shop().await;
    let lamp = shop.product(100, 50);
    let answers =
        join_all((1..=20).map(async |quantity| shop.order_with_key("ada", "k", &[(lamp, quantity)]).await))
            .await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!(made.len(), 1);
    for answer in refused {
        answer.assert_problem(422, "idempotency_mismatch");
    }
    assert_eq!(shop.ledger.orders().await, 1);
    shop.assert_books().await;
}

#[actix_web::test]
async fn a_key_is_one_word_of_up_to_255_visible_characters() {
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
    assert_eq!(shop.ledger.orders().await, 0);
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
async fn a_refused_basket_does_not_use_up_its_key() {
    let shop = shop().await;
    let lamp = shop.product(100, 50);
    shop.order_with_key("ada", "k", &[(Uuid::from_u128(7), 1)])
        .await
        .assert_invalid("items[0].product_id");
    shop.near.products.is_now(Away).await;
    shop.order_with_key("ada", "k", &[(lamp, 1)])
        .await
        .assert_problem(503, "product_service_unavailable");
    shop.near.products.is_now(Fair).await;
    shop.order_with_key("ada", "k", &[(lamp, 2)])
        .await
        .assert(201, json!({"total_cents": 200}));
}
