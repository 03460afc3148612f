//! Placing orders while all services are healthy.

use serde_json::json;

use crate::fault_proxy::FaultProxy;
use crate::shop::{id_of, shop};

#[actix_web::test]
async fn an_order_is_confirmed_at_current_prices_and_its_stock_reserved() {
    let shop = shop().await;
    let (shade, lamp) = (shop.product(0, 5), shop.product(1_999, 5));
    let answer = shop.order("ada", &[(lamp, 2), (shade, 1)]).await;
    let ada = shop.user_token("ada", &["user"]).claims().sub.clone();
    let items = json!([
        {"product_id": lamp, "name": "Lamp", "unit_price_cents": 1_999, "quantity": 2},
        {"product_id": shade, "name": "Lamp", "unit_price_cents": 0, "quantity": 1},
    ]);
    answer.assert(201, json!({"user_id": ada, "status": "confirmed", "items": items, "total_cents": 3_998, "currency": "EUR"}));
    let order = answer.json();
    let members: Vec<_> = order.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        [
            "created_at",
            "currency",
            "id",
            "items",
            "status",
            "total_cents",
            "updated_at",
            "user_id"
        ]
    );

    assert_eq!(
        answer.header("location"),
        format!("/orders/{}", order["id"].as_str().unwrap())
    );
    assert_eq!(
        (
            answer.header("idempotent-replayed"),
            answer.header("cache-control")
        ),
        ("", "no-store")
    );
    let shown = shop.user("ada").get(answer.header("location")).await;
    assert_eq!(shown.assert_status(200).json(), order);
    assert_eq!(shop.neighbours.fake_inventory.stock(lamp), [5, 2, 0]);
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn an_order_keeps_its_names_and_prices() {
    let shop = shop().await;
    let (lamp, shade) = (shop.product(100, 5), shop.product(5, 5));
    let odd = " Lámp’s \"best\" <b>\\ %_ 🪔 e\u{301} ";
    shop.neighbours.catalogue.change(lamp, "name", json!(odd));
    let order = shop
        .order("ada", &[(lamp, 1), (shade, 1)])
        .await
        .assert_status(201)
        .json();
    assert_eq!(order["items"][0]["name"], odd);

    shop.neighbours.catalogue.change(lamp, "name", json!("Lantern"));
    shop.neighbours.catalogue.change(lamp, "price_cents", json!(900));
    shop.neighbours.catalogue.remove(shade);
    assert_eq!(shop.show(order["id"].as_str().unwrap()).await, order);
    shop.order("ada", &[(lamp, 1)])
        .await
        .assert(201, json!({"total_cents": 900}));
}

#[actix_web::test]
async fn an_order_without_enough_stock_is_refused_and_stored_as_rejected() {
    let shop = shop().await;
    let (lamp, shade, shelf) = (shop.product(100, 5), shop.product(100, 1), shop.product(100, 0));
    let answer = shop.order("ada", &[(lamp, 5), (shade, 3), (shelf, 1)]).await;
    answer.assert_problem(409, "insufficient_stock");
    let short = json!([
        {"product_id": shade, "requested": 3, "available": 1},
        {"product_id": shelf, "requested": 1, "available": 0},
    ]);
    answer.assert(409, json!({"short": short}));
    let order = answer.json()["order"].clone();
    assert_eq!(
        (&order["status"], &order["total_cents"]),
        (&json!("rejected"), &json!(900))
    );
    assert_eq!(
        answer.header("location"),
        format!("/orders/{}", order["id"].as_str().unwrap())
    );
    assert_eq!(
        shop.user("ada")
            .get(answer.header("location"))
            .await
            .assert_status(200)
            .json(),
        order
    );
    assert_eq!(shop.neighbours.fake_inventory.stock(lamp), [5, 0, 0]);
    shop.assert_consistent().await;

    // A restock does not revive the order, but another order can use it.
    shop.neighbours.fake_inventory.restock(shade, 9);
    assert_eq!(shop.status(order["id"].as_str().unwrap()).await, "rejected");
    shop.order("ada", &[(shade, 3)])
        .await
        .assert(201, json!({"status": "confirmed"}));
}

#[actix_web::test]
async fn the_largest_allowed_values_are_accepted() {
    let shop = shop().await;
    let lines: Vec<_> = (0..50)
        .map(|_| (shop.product(1_000_000_000_000, 10_000), 10_000))
        .collect();
    let order = shop.order("ada", &lines).await;
    order.assert(201, json!({"total_cents": 500_000_000_000_000_000_i64}));
    let reserved = shop
        .neighbours
        .fake_inventory
        .reservation(id_of(&order).parse().unwrap())
        .unwrap()
        .1;
    assert_eq!(reserved, lines.into_iter().collect());
}

#[actix_web::test]
async fn two_requests_without_a_key_place_two_orders() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let (first, second) = (
        shop.order("ada", &[(lamp, 1)]).await,
        shop.order("ada", &[(lamp, 1)]).await,
    );
    first.assert_status(201);
    second.assert_status(201);
    assert_ne!(id_of(&first), id_of(&second));
    assert_eq!((shop.db.orders().await, shop.db.keys().await), (2, 0));
    assert_eq!(shop.neighbours.fake_inventory.stock(lamp), [5, 2, 0]);
}

#[actix_web::test]
async fn product_service_is_called_without_and_inventory_service_with_a_token() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    shop.order("ada", &[(lamp, 1)]).await.assert_status(201);
    shop.order("ada", &[(lamp, 1)]).await.assert_status(201);
    let calls = [
        &shop.neighbours.products,
        &shop.neighbours.inventory,
        &shop.neighbours.tokens,
    ]
    .map(FaultProxy::received);
    assert_eq!(calls, [2, 2, 1]);
}
