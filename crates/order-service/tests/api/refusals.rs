//! Orders that are refused, and leave nothing behind.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::shop::{Shop, basket, id_of, shop};
use crate::weather::Weather::{self, Away, Fair, HangsBefore, LostAfter, LostBefore, Says, Slow};

async fn assert_nothing_ordered(shop: &Shop) {
    assert_eq!(
        (
            shop.ledger.orders().await,
            shop.ledger.keys().await,
            shop.ledger.tasks().await
        ),
        (0, 0, 0)
    );
    assert_eq!(shop.near.inventory.arrived(), 0);
}

#[actix_web::test]
async fn a_basket_that_breaks_a_rule_is_refused_by_name_of_its_field() {
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
    for product in [json!("lamp"), json!(7), json!(null), json!("")] {
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
async fn a_service_is_nobody_who_orders_cancels_or_fulfils() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let id = id_of(shop.order("ada", &[(lamp, 2)]).await.assert_status(201));
    for name in ["inventory-service", "product-service", "order-service"] {
        // With a token that is for this service, and says all else that it should.
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
        (shop.ledger.orders().await, shop.status(&id).await.as_str()),
        (1, "confirmed")
    );
    assert_eq!(shop.near.stockroom.stock(lamp), [5, 2, 0]);
    shop.assert_books().await;
}

#[actix_web::test]
async fn what_can_t_be_added_up_is_refused() {
    let shop = shop().await;
    let (euro, dollar) = (shop.product(1, 5), shop.product(1, 5));
    shop.near.catalogue.change(dollar, "currency", json!("USD"));
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
async fn a_basket_of_a_million_lines_is_not_even_read() {
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

/// Nothing is ordered in this weather, and the key is still free when it is over.
async fn assert_no_prices(shop: &Shop, lamp: Uuid, weather: Weather) {
    shop.near.products.is_now(weather).await;
    let key = format!("{:?}", Instant::now()).replace(' ', "");
    let (before, asked) = (shop.ledger.orders().await, shop.near.inventory.arrived());
    let answer = shop.order_with_key("ada", &key, &[(lamp, 1)]).await;
    answer.assert_problem(503, "product_service_unavailable");
    assert_eq!(
        answer.json()["detail"],
        "Prices can't be had at the moment. Nothing was ordered."
    );
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    assert_eq!(
        (shop.ledger.orders().await, shop.near.inventory.arrived()),
        (before, asked),
        "{weather:?}"
    );

    shop.near.products.is_now(Fair).await;
    let answer = shop.order_with_key("ada", &key, &[(lamp, 1)]).await;
    assert_eq!(
        answer.assert_status(201).header("idempotent-replayed"),
        "",
        "{weather:?}"
    );
}

#[actix_web::test]
async fn without_prices_nothing_is_ordered() {
    let shop = shop().await;
    let lamp = shop.product(100, 50);
    for weather in [
        Away,
        LostBefore,
        LostAfter,
        Says(500, r#"{"code": "internal", "detail": "secrets"}"#),
        Says(503, "{}"),
        Says(401, "{}"),
        Says(404, "{}"),
        Says(201, r#"{"items": []}"#),
        Says(200, ""),
        Says(200, "<html>"),
        Says(200, "{}"),
        Says(200, "[]"),
        Says(200, r#"{"items": null}"#),
        Says(200, r#"{"items": [{"id": "lamp"}]}"#),
    ] {
        assert_no_prices(&shop, lamp, weather).await;
    }
    shop.assert_books().await;
}

#[actix_web::test]
async fn nobody_waits_long_for_prices() {
    let shop = shop().await;
    let lamp = shop.product(100, 50);
    let begun = Instant::now();
    assert_no_prices(&shop, lamp, HangsBefore).await;
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    shop.near.products.is_now(Slow(Duration::from_millis(300))).await;
    shop.order("ada", &[(lamp, 1)]).await.assert_status(201);
}

#[actix_web::test]
async fn a_product_that_can_t_be_is_not_sold() {
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
        shop.near.catalogue.change(lamp, member, value);
        let answer = shop.order("ada", &[(shop.product(100, 5), 1), (lamp, 1)]).await;
        answer.assert_problem(503, "product_service_unavailable");
    }
    assert_nothing_ordered(&shop).await;
}
