//! Orders, across all services.

use futures_util::future::join_all;
use serde_json::json;

use crate::audit::Audit;
use crate::eventually;
use crate::fault_proxy::{Fault, FaultProxy};
use crate::sandbox::{Sandbox, port};
use crate::trader::Trader;

#[tokio::test]
async fn an_order_reserves_stock_keeps_its_price_and_releases_stock_when_cancelled() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    let (ada, bob) = (
        Trader::named(&platform, "ada@example.com").await,
        Trader::named(&platform, "bob@example.com").await,
    );
    let product = ada.create_product(3).await;

    let first = bob.place_order("first", &product, 2).await;
    first.assert(
        201,
        json!({"status": "confirmed", "total_cents": 3_998, "currency": "EUR"}),
    );
    let id = first.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(ada.stock_of(&product).await["available"], 1);
    let again = bob.place_order("first", &product, 2).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"));
    bob.place_order("second", &product, 2)
        .await
        .assert_problem(409, "insufficient_stock");
    ada.at("order-service")
        .get(&format!("/orders/{id}"))
        .await
        .assert_problem(404, "order_not_found");

    let changed = json!({"price_cents": 1, "name": "Lantern"});
    ada.at("product-service")
        .patch(&format!("/products/{product}"), changed)
        .await
        .assert_status(200);
    let item = &bob.order(&id).await["items"][0];
    assert_eq!(
        (&item["name"], &item["unit_price_cents"]),
        (&json!("Lamp"), &json!(1_999))
    );

    bob.act("cancel", &id)
        .await
        .assert(200, json!({"status": "cancelled"}));
    assert_eq!(ada.stock_of(&product).await["available"], 3);

    let third = bob
        .place_order("third", &product, 3)
        .await
        .assert_status(201)
        .json();
    let admin = Trader::admin(&platform, &sandbox).await;
    bob.act("fulfil", third["id"].as_str().unwrap())
        .await
        .assert_problem(403, "forbidden");
    admin
        .act("fulfil", third["id"].as_str().unwrap())
        .await
        .assert(200, json!({"status": "fulfilled"}));
    let left = json!({"on_hand": 0, "reserved": 0, "available": 0});
    ada.at("inventory-service")
        .get(&format!("/inventory/{product}"))
        .await
        .assert(200, left);
}

#[tokio::test]
async fn one_of_two_hundred_buyers_gets_the_last_piece() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    let ada = Trader::named(&platform, "ada@example.com").await;
    let product = ada.create_product(1).await;
    let keys: Vec<_> = (0..200).map(|buyer| format!("buyer-{buyer}")).collect();
    let responses = join_all(keys.iter().map(|key| ada.place_order(key, &product, 1))).await;
    let statuses: Vec<_> = responses.iter().map(|response| response.status).collect();
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    // A pending order is decided later.
    assert_eq!(count(201) + count(202) + count(409), 200, "{statuses:?}");
    let (mut confirmed, mut rejected) = (0, 0);
    eventually("every order is decided", async || {
        (confirmed, rejected) = (0, 0);
        for response in &responses {
            let order = response.json();
            let id = order["order"]["id"]
                .as_str()
                .or(order["id"].as_str())
                .unwrap()
                .to_owned();
            match ada.order(&id).await["status"].as_str().unwrap() {
                "confirmed" => confirmed += 1,
                "rejected" => rejected += 1,
                _ => return false,
            }
        }
        true
    })
    .await;
    assert_eq!((confirmed, rejected), (1, 199));
    let stock = ada.stock_of(&product).await;
    assert_eq!(
        (&stock["on_hand"], &stock["reserved"]),
        (&json!(1), &json!(1)),
        "{stock}"
    );
    Audit::of(&sandbox, "inventory-service")
        .await
        .assert_stock_is_accounted_for()
        .await;
}

#[tokio::test]
async fn a_deleted_product_cannot_be_ordered_and_its_orders_remain() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    let ada = Trader::named(&platform, "ada@example.com").await;
    let admin = Trader::admin(&platform, &sandbox).await;
    let product = ada.create_product(5).await;
    let order = ada
        .place_order("before", &product, 1)
        .await
        .assert_status(201)
        .json();

    admin
        .at("product-service")
        .delete(&format!("/products/{product}"))
        .await
        .assert_status(204);
    ada.place_order("after", &product, 1)
        .await
        .assert_invalid("items[0].product_id");
    assert_eq!(ada.order(order["id"].as_str().unwrap()).await, order);
    assert_eq!(ada.stock_of(&product).await["reserved"], 1);
    admin
        .act("fulfil", order["id"].as_str().unwrap())
        .await
        .assert_status(200);
    assert_eq!(ada.stock_of(&product).await["on_hand"], 4);
}

#[tokio::test]
async fn orders_wait_or_are_refused_while_a_neighbour_is_down() {
    let sandbox = Sandbox::new().await;
    let inventory = FaultProxy::in_front_of(port(sandbox.port_base, "inventory-service")).await;
    let products = FaultProxy::in_front_of(port(sandbox.port_base, "product-service")).await;
    let urls = [
        ("ORDER_SERVICE_INVENTORY_SERVICE_URL", inventory.url.as_str()),
        ("ORDER_SERVICE_PRODUCT_SERVICE_URL", products.url.as_str()),
    ];
    let platform = sandbox.platform_with(&urls).await;
    let ada = Trader::named(&platform, "ada@example.com").await;
    let product = ada.create_product(5).await;

    products.set(Fault::Disconnect);
    ada.place_order("no-price", &product, 1)
        .await
        .assert_problem(503, "product_service_unavailable");
    products.set(Fault::None);
    let orders = ada.at("order-service").get("/orders").await;
    orders.assert(200, json!({"items": [], "next_cursor": null}));

    inventory.set(Fault::Disconnect);
    let mut waiting = Vec::new();
    for order in 0..8 {
        let response = ada.place_order(&format!("waiting-{order}"), &product, 1).await;
        response.assert(202, json!({"status": "pending"}));
        waiting.push(response.json()["id"].as_str().unwrap().to_owned());
    }
    inventory.set(Fault::None);
    let mut statuses = Vec::new();
    eventually("all waiting orders are decided", async || {
        statuses.clear();
        for id in &waiting {
            statuses.push(ada.order(id).await["status"].as_str().unwrap().to_owned());
        }
        !statuses.iter().any(|status| status == "pending")
    })
    .await;
    let count = |wanted: &str| statuses.iter().filter(|status| *status == wanted).count();
    assert_eq!((count("confirmed"), count("rejected")), (5, 3), "{statuses:?}");
    assert_eq!(ada.stock_of(&product).await["reserved"], 5);
}
