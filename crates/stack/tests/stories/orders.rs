//! Orders, through all the services that they go through.

use futures_util::future::join_all;
use serde_json::json;

use crate::books::Books;
use crate::eventually;
use crate::gate::{Gate, Passes};
use crate::market::Trader;
use crate::place::{Place, port};

#[tokio::test]
async fn an_order_takes_stock_keeps_its_price_and_gives_back_what_is_called_off() {
    let place = Place::new().await;
    let platform = place.platform().await;
    let (ada, bob) = (
        Trader::named(&platform, "ada@example.com").await,
        Trader::named(&platform, "bob@example.com").await,
    );
    let product = ada.sells(3).await;

    let first = bob.orders("first", &product, 2).await;
    first.assert(
        201,
        json!({"status": "confirmed", "total_cents": 3_998, "currency": "EUR"}),
    );
    let id = first.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(ada.stock_of(&product).await["available"], 1);
    let again = bob.orders("first", &product, 2).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"));
    bob.orders("second", &product, 2)
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

    bob.does("cancel", &id)
        .await
        .assert(200, json!({"status": "cancelled"}));
    assert_eq!(ada.stock_of(&product).await["available"], 3);

    let third = bob.orders("third", &product, 3).await.assert_status(201).json();
    let admin = Trader::admin(&platform, &place).await;
    bob.does("fulfil", third["id"].as_str().unwrap())
        .await
        .assert_problem(403, "forbidden");
    admin
        .does("fulfil", third["id"].as_str().unwrap())
        .await
        .assert(200, json!({"status": "fulfilled"}));
    let left = json!({"on_hand": 0, "reserved": 0, "available": 0});
    ada.at("inventory-service")
        .get(&format!("/inventory/{product}"))
        .await
        .assert(200, left);
}

#[tokio::test]
async fn of_two_hundred_buyers_of_the_last_one_a_single_one_gets_it() {
    let place = Place::new().await;
    let platform = place.platform().await;
    let ada = Trader::named(&platform, "ada@example.com").await;
    let product = ada.sells(1).await;
    let keys: Vec<_> = (0..200).map(|buyer| format!("buyer-{buyer}")).collect();
    let answers = join_all(keys.iter().map(|key| ada.orders(key, &product, 1))).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    // Who was told "pending" learns later; nobody is told both.
    assert_eq!(count(201) + count(202) + count(409), 200, "{statuses:?}");
    let (mut confirmed, mut rejected) = (0, 0);
    eventually("every order is settled", async || {
        (confirmed, rejected) = (0, 0);
        for answer in &answers {
            let order = answer.json();
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
    Books::of(&place, "inventory-service")
        .await
        .assert_stock_is_accounted_for()
        .await;
}

#[tokio::test]
async fn what_was_taken_down_can_t_be_ordered_and_what_was_ordered_of_it_stays() {
    let place = Place::new().await;
    let platform = place.platform().await;
    let ada = Trader::named(&platform, "ada@example.com").await;
    let admin = Trader::admin(&platform, &place).await;
    let product = ada.sells(5).await;
    let order = ada.orders("before", &product, 1).await.assert_status(201).json();

    admin
        .at("product-service")
        .delete(&format!("/products/{product}"))
        .await
        .assert_status(204);
    ada.orders("after", &product, 1)
        .await
        .assert_invalid("items[0].product_id");
    assert_eq!(ada.order(order["id"].as_str().unwrap()).await, order);
    assert_eq!(ada.stock_of(&product).await["reserved"], 1);
    admin
        .does("fulfil", order["id"].as_str().unwrap())
        .await
        .assert_status(200);
    assert_eq!(ada.stock_of(&product).await["on_hand"], 4);
}

#[tokio::test]
async fn while_a_neighbour_is_away_orders_wait_or_are_not_taken_and_none_is_lost() {
    let place = Place::new().await;
    let inventory = Gate::before(port(place.port_base, "inventory-service")).await;
    let products = Gate::before(port(place.port_base, "product-service")).await;
    let gates = [
        ("ORDER_SERVICE_INVENTORY_SERVICE_URL", inventory.url.as_str()),
        ("ORDER_SERVICE_PRODUCT_SERVICE_URL", products.url.as_str()),
    ];
    let platform = place.platform_with(&gates).await;
    let ada = Trader::named(&platform, "ada@example.com").await;
    let product = ada.sells(5).await;

    products.set(Passes::Nothing);
    ada.orders("no-price", &product, 1)
        .await
        .assert_problem(503, "product_service_unavailable");
    products.set(Passes::Everything);
    let orders = ada.at("order-service").get("/orders").await;
    orders.assert(200, json!({"items": [], "next_cursor": null}));

    inventory.set(Passes::Nothing);
    let mut waiting = Vec::new();
    for order in 0..8 {
        let answer = ada.orders(&format!("waiting-{order}"), &product, 1).await;
        answer.assert(202, json!({"status": "pending"}));
        waiting.push(answer.json()["id"].as_str().unwrap().to_owned());
    }
    inventory.set(Passes::Everything);
    let mut statuses = Vec::new();
    eventually("all that waited is settled", async || {
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
