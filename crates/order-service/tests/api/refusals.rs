//! Requests that are refused and store nothing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::fault_proxy::Behaviour::{self, Down, DropAfter, DropBefore, HangBefore, Healthy, Reply, Slow};
use crate::shop::{Shop, basket, id_of, shop};

async fn assert_nothing_ordered(shop: &Shop) {
    assert_eq!(
        (
            shop.db.orders().await,
            shop.db.keys().await,
            shop.db.tasks().await
        ),
        (0, 0, 0)
    );
    assert_eq!(shop.neighbours.inventory.received(), 0);
}

#[actix_web::test]
async fn an_invalid_basket_is_refused_and_its_field_named() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let many: Vec<_> = (0..51).map(|_| (shop.product(1, 5), 1)).collect();
    let unknown = Uuid::from_u128(7);
    let line = |change: Value| {
        let mut line = json!({"product_id": lamp, "quantity": 1});
        line.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        json!({"items": [line]})
    };
    let mut wrong = vec![
        ("items", json!({})),
        ("items", json!({"items": null})),
        ("items", json!({"items": {}})),
        ("items", basket(&[])),
        ("items", basket(&many)),
        ("items", basket(&[(lamp, 1), (lamp, 2)])),
        ("items[0]", json!({"items": [[lamp, 1]]})),
        ("items[0]", json!({"items": [null]})),
        ("items[0].product_id", json!({"items": [{"quantity": 1}]})),
        ("items[0].quantity", json!({"items": [{"product_id": lamp}]})),
        ("items[0].price_cents", line(json!({"price_cents": 1}))),
        ("items[0].product_id", basket(&[(unknown, 1)])),
        ("items[1].product_id", basket(&[(lamp, 1), (unknown, 1)])),
        ("items[0].product_id", basket(&[(Uuid::nil(), 1)])),
        (
            "user_id",
            json!({"user_id": unknown, "items": basket(&[(lamp, 1)])["items"]}),
        ),
    ];
    let in_capitals = json!(lamp.to_string().to_uppercase());
    for product in [json!("lamp"), json!(7), json!(null), json!(""), in_capitals] {
        wrong.push(("items[0].product_id", line(json!({"product_id": product}))));
    }
    for quantity in [
        json!(-1),
        json!(0),
        json!(10_001),
        json!(i64::MAX),
        json!(9_223_372_036_854_775_808_u64),
        json!(1.5),
        json!("1"),
        json!(true),
        json!(null),
    ] {
        wrong.push(("items[0].quantity", line(json!({"quantity": quantity}))));
    }
    let ada = shop.user("ada").with("idempotency-key", "k");
    for (field, body) in wrong {
        ada.post("/orders", body).await.assert_invalid(field);
    }
    assert_nothing_ordered(&shop).await;
    ada.post("/orders", basket(&[(lamp, 1)])).await.assert_status(201);
}

#[actix_web::test]
async fn a_service_may_not_place_cancel_or_fulfil_orders() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let id = id_of(shop.order("ada", &[(lamp, 2)]).await.assert_status(201));
    for name in ["inventory-service", "product-service", "order-service"] {
        // A valid service token for this audience.
        let token = shop.issuer().as_service(name).token();
        let service = shop.user("ada").with_token(&token);
        service
            .post("/orders", basket(&[(lamp, 1)]))
            .await
            .assert_problem(403, "forbidden");
        service.get("/orders").await.assert_problem(403, "forbidden");
        service
            .get(&format!("/orders/{id}"))
            .await
            .assert_problem(403, "forbidden");
        for decision in ["cancel", "fulfil"] {
            let refused = service.post(&format!("/orders/{id}/{decision}"), json!({})).await;
            refused.assert_problem(403, "forbidden");
        }
    }
    assert_eq!(
        (shop.db.orders().await, shop.status(&id).await.as_str()),
        (1, "confirmed")
    );
    assert_eq!(shop.neighbours.fake_inventory.stock(lamp), [5, 2, 0]);
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn mixed_currencies_and_an_overflowing_total_are_refused() {
    let shop = shop().await;
    let (euro, dollar) = (shop.product(1, 5), shop.product(1, 5));
    shop.neighbours.catalogue.change(dollar, "currency", json!("USD"));
    let mixed = shop.order("ada", &[(euro, 1), (dollar, 1)]).await;
    mixed.assert_invalid("items[1].product_id");
    let dear = shop.product(i64::MAX, 5);
    shop.order("ada", &[(dear, 2)]).await.assert_invalid("items");
    shop.order("ada", &[(euro, 1), (dear, 1)])
        .await
        .assert_invalid("items");
    assert_nothing_ordered(&shop).await;
    shop.order("ada", &[(dear, 1)])
        .await
        .assert(201, json!({"total_cents": i64::MAX}));
    shop.order("ada", &[(dollar, 1)])
        .await
        .assert(201, json!({"currency": "USD"}));
}

#[actix_web::test]
async fn a_body_over_the_size_limit_is_refused() {
    let shop = shop().await;
    let line = json!({"product_id": shop.product(1, 5), "quantity": 1}).to_string();
    let body = format!(r#"{{"items": [{}]}}"#, vec![line.as_str(); 1_000_000].join(",\n"));
    let json =
        |request: reqwest::RequestBuilder| request.header("content-type", "application/json").body(body);
    let answer = shop
        .user("ada")
        .send(&actix_web::http::Method::POST, "/orders", json)
        .await;
    answer.assert_problem(413, "payload_too_large");
    assert_nothing_ordered(&shop).await;
}

/// Checks that an order is refused while product-service behaves like this, and that its key is still free afterwards.
async fn assert_refused_without_prices(shop: &Shop, lamp: Uuid, behaviour: Behaviour) {
    shop.neighbours.products.set(behaviour).await;
    let key = format!("{:?}", Instant::now()).replace(' ', "");
    let (orders, calls) = (shop.db.orders().await, shop.neighbours.inventory.received());
    let answer = shop.order_with_key("ada", &key, &[(lamp, 1)]).await;
    answer.assert_problem(503, "product_service_unavailable");
    assert_eq!(
        answer.json()["detail"],
        "Prices are temporarily unavailable. Nothing was ordered."
    );
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    assert_eq!(
        (shop.db.orders().await, shop.neighbours.inventory.received()),
        (orders, calls),
        "{behaviour:?}"
    );

    shop.neighbours.products.set(Healthy).await;
    let answer = shop.order_with_key("ada", &key, &[(lamp, 1)]).await;
    assert_eq!(
        answer.assert_status(201).header("idempotent-replayed"),
        "",
        "{behaviour:?}"
    );
}

#[actix_web::test]
async fn nothing_is_ordered_without_prices() {
    let shop = shop().await;
    let lamp = shop.product(100, 50);
    for behaviour in [
        Down,
        DropBefore,
        DropAfter,
        Reply(500, r#"{"code": "internal", "detail": "secrets"}"#),
        Reply(503, "{}"),
        Reply(401, "{}"),
        Reply(404, "{}"),
        Reply(201, r#"{"items": []}"#),
        Reply(200, ""),
        Reply(200, "<html>"),
        Reply(200, "{}"),
        Reply(200, "[]"),
        Reply(200, r#"{"items": null}"#),
        Reply(200, r#"{"items": [{"id": "lamp"}]}"#),
    ] {
        assert_refused_without_prices(&shop, lamp, behaviour).await;
    }
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn a_hanging_product_service_is_given_up_on() {
    let shop = shop().await;
    let lamp = shop.product(100, 50);
    let started = Instant::now();
    assert_refused_without_prices(&shop, lamp, HangBefore).await;
    assert!(
        started.elapsed() < Duration::from_secs(12),
        "{:?}",
        started.elapsed()
    );
    shop.neighbours
        .products
        .set(Slow(Duration::from_millis(300)))
        .await;
    shop.order("ada", &[(lamp, 1)]).await.assert_status(201);
}

#[actix_web::test]
async fn an_invalid_product_from_product_service_is_not_sold() {
    let shop = shop().await;
    for (member, value) in [
        ("price_cents", json!(-1)),
        ("price_cents", json!(1.5)),
        ("price_cents", json!("100")),
        ("price_cents", json!(null)),
        ("currency", json!("€")),
        ("currency", json!("eur")),
        ("currency", json!("EURO")),
        ("name", json!("a\u{0}b")),
        ("name", json!(null)),
    ] {
        let lamp = shop.product(100, 5);
        shop.neighbours.catalogue.change(lamp, member, value);
        let answer = shop.order("ada", &[(shop.product(100, 5), 1), (lamp, 1)]).await;
        answer.assert_problem(503, "product_service_unavailable");
    }
    assert_nothing_ordered(&shop).await;
}
