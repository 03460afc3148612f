//! Listing and reading orders.

use serde_json::Value;
use test_kit::Client;
use uuid::Uuid;

use crate::fault_proxy::Behaviour::{Down, Healthy};
use crate::shop::{id_of, shop};

async fn ids(client: &Client, query: &str) -> Vec<String> {
    let page = client
        .get(&format!("/orders{query}"))
        .await
        .assert_status(200)
        .json();
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|order| order["id"].as_str().unwrap().to_owned())
        .collect()
}

#[actix_web::test]
async fn users_list_their_own_orders_and_support_and_admins_list_all() {
    let shop = shop().await;
    let lamp = shop.product(100, 50);
    let (mut of_ada, mut of_bob) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        of_ada.insert(0, id_of(&shop.order("ada", &[(lamp, 1)]).await));
        of_bob.insert(0, id_of(&shop.order("bob", &[(lamp, 1)]).await));
    }
    let all = [&of_bob[0], &of_ada[0], &of_bob[1], &of_ada[1]].map(Clone::clone);
    let id = |name| shop.user_token(name, &["user"]).claims().sub.clone();
    let (ada, bob) = (shop.user("ada"), shop.user("bob"));
    assert_eq!(
        (ids(&ada, "").await, ids(&bob, "").await),
        (of_ada.clone(), of_bob.clone())
    );
    assert_eq!(ids(&ada, &format!("?user_id={}", id("ada"))).await, of_ada);
    let other = ada.get(&format!("/orders?user_id={}", id("bob"))).await;
    other.assert_problem(403, "forbidden");
    ada.get(&format!("/orders?user_id={}", Uuid::from_u128(7)))
        .await
        .assert_problem(403, "forbidden");
    for reader in [shop.support(), shop.admin()] {
        assert_eq!(ids(&reader, "").await, all);
        assert_eq!(ids(&reader, &format!("?user_id={}", id("ada"))).await, of_ada);
        assert_eq!(
            ids(&reader, &format!("?user_id={}", Uuid::from_u128(7))).await,
            Vec::<String>::new()
        );
    }
    let listed = ada.get("/orders").await;
    assert_eq!(listed.header("cache-control"), "no-store");
    for order in listed.json()["items"].as_array().unwrap() {
        assert_eq!(shop.show(order["id"].as_str().unwrap()).await, *order);
    }
}

#[actix_web::test]
async fn only_its_user_support_and_admins_may_read_an_order() {
    let shop = shop().await;
    let order = format!(
        "/orders/{}",
        id_of(&shop.order("ada", &[(shop.product(100, 5), 1)]).await)
    );
    for reader in [shop.user("ada"), shop.support(), shop.admin()] {
        let answer = reader.get(&order).await;
        assert_eq!(answer.assert_status(200).header("cache-control"), "no-store");
    }
    let refused = shop.user("bob").get(&order).await;
    refused.assert_problem(404, "order_not_found");
    let absent = shop
        .user("bob")
        .get("/orders/01890a5d-ac96-774b-bcce-b302099a8057")
        .await;
    let without_id = |mut body: Value| {
        body["request_id"] = Value::Null;
        body
    };
    assert_eq!(without_id(refused.json()), without_id(absent.json()));
}

#[actix_web::test]
async fn pages_list_every_order_once_newest_first() {
    let shop = shop().await;
    let lamp = shop.product(100, 500);
    let mut placed = Vec::new();
    for number in 0..8 {
        placed.insert(0, id_of(&shop.order("ada", &[(lamp, 1)]).await));
        shop.order("bob", &[(lamp, 1)]).await.assert_status(201);
        shop.advance(number % 3);
    }
    let (mut listed, mut path) = (Vec::new(), "/orders?limit=3&status=confirmed".to_owned());
    loop {
        let page = shop.user("ada").get(&path).await.assert_status(200).json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        listed.extend(items.iter().map(|order| order["id"].as_str().unwrap().to_owned()));
        // An order that is placed meanwhile does not shift the following pages.
        shop.order("ada", &[(lamp, 1)]).await.assert_status(201);
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/orders?limit=3&status=confirmed&cursor={cursor}");
    }
    assert_eq!(listed, placed);
    for order in shop.orders().await {
        assert_eq!(order["items"].as_array().unwrap().len(), 1);
    }
}

#[actix_web::test]
async fn a_list_can_be_limited_to_one_status() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let order = async |name| id_of(&shop.order(name, &[(lamp, 1)]).await);
    let (confirmed, fulfilled, cancelled) = (order("ada").await, order("ada").await, order("ada").await);
    let of_bob = order("bob").await;
    let rejected = id_of(&shop.order("ada", &[(lamp, 9)]).await);
    shop.fulfil(&fulfilled).await.assert_status(200);
    shop.cancel("ada", &cancelled).await.assert_status(200);
    shop.neighbours.inventory.set(Down).await;
    let pending = order("ada").await;
    for (status, only) in [
        ("pending", &pending),
        ("confirmed", &confirmed),
        ("fulfilled", &fulfilled),
        ("rejected", &rejected),
        ("cancelled", &cancelled),
    ] {
        assert_eq!(
            ids(&shop.user("ada"), &format!("?status={status}")).await,
            std::slice::from_ref(only),
            "{status}"
        );
    }
    assert_eq!(
        ids(&shop.support(), "?status=confirmed").await,
        [of_bob.clone(), confirmed]
    );
    let bob = shop.user_token("bob", &["user"]).claims().sub.clone();
    assert_eq!(
        ids(&shop.support(), &format!("?status=confirmed&user_id={bob}")).await,
        [of_bob]
    );
    assert_eq!(
        ids(&shop.support(), &format!("?status=rejected&user_id={bob}")).await,
        Vec::<String>::new()
    );
    shop.neighbours.inventory.set(Healthy).await;
    shop.settle().await;
    assert_eq!(
        ids(&shop.user("ada"), "?status=pending").await,
        Vec::<String>::new()
    );
}

#[actix_web::test]
async fn an_invalid_filter_is_refused() {
    let shop = shop().await;
    for query in [
        "status=lost",
        "status=",
        "status=Confirmed",
        "status=pending&status=confirmed",
        "status=pending,confirmed",
        "user_id=ada",
        "user_id=",
        "user_id=1",
        "user_id=01890A5D-AC96-774B-BCCE-B302099A8057",
    ] {
        shop.admin()
            .get(&format!("/orders?{query}"))
            .await
            .assert_problem(400, "invalid_query");
    }
}
