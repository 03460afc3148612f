//! Concurrent decisions about one order: one of them succeeds.

use futures_util::future::{join, join_all};
use serde_json::json;
use test_kit::TestResponse;

use crate::shop::{Shop, id_of, shop};

fn count(answers: &[TestResponse], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

async fn an_order(shop: &Shop, lamp: uuid::Uuid) -> String {
    id_of(shop.order("ada", &[(lamp, 1)]).await.assert_status(201))
}

#[actix_web::test]
async fn one_of_20_concurrent_cancellations_succeeds() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let order = an_order(&shop, lamp).await;
    let answers = join_all((0..20).map(|_| shop.cancel("ada", &order))).await;
    assert_eq!((count(&answers, 200), count(&answers, 409)), (1, 19));
    assert_eq!(shop.neighbours.fake_inventory.stock(lamp), [5, 0, 0]);
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn one_of_20_concurrent_fulfilments_succeeds() {
    let shop = shop().await;
    let lamp = shop.product(100, 5);
    let order = an_order(&shop, lamp).await;
    let answers = join_all((0..20).map(|_| shop.fulfil(&order))).await;
    assert_eq!((count(&answers, 200), count(&answers, 409)), (1, 19));
    assert_eq!(shop.neighbours.fake_inventory.stock(lamp), [4, 0, 1]);
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn one_of_a_concurrent_cancellation_and_fulfilment_succeeds() {
    let shop = shop().await;
    let lamp = shop.product(100, 50);
    let orders = join_all((0..50).map(|_| an_order(&shop, lamp))).await;
    let race = async |(turn, order): (usize, &String)| {
        let (cancelled, fulfilled) = if turn % 2 == 0 {
            join(shop.cancel("ada", order), shop.fulfil(order)).await
        } else {
            let (fulfilled, cancelled) = join(shop.fulfil(order), shop.cancel("ada", order)).await;
            (cancelled, fulfilled)
        };
        let (done, refused, status) = match fulfilled.status {
            200 => (fulfilled, cancelled, "fulfilled"),
            _ => (cancelled, fulfilled, "cancelled"),
        };
        done.assert(200, json!({"status": status}));
        refused.assert_problem(409, "order_already_final");
        assert_eq!(shop.status(order).await, status);
    };
    join_all(orders.iter().enumerate().map(race)).await;
    shop.assert_consistent().await;
}

#[actix_web::test]
async fn orders_that_are_cancelled_while_being_placed_end_in_one_consistent_state() {
    let shop = shop().await;
    let lamp = shop.product(100, 30);
    let order = async |_| shop.order("ada", &[(lamp, 1)]).await;
    let cancel = async {
        let (mut cancelled, mut looks) = (0, 0);
        while looks < 300 && cancelled < 20 {
            let page = shop
                .user("ada")
                .get("/orders?limit=100")
                .await
                .assert_status(200)
                .json();
            let open = page["items"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|order| order["status"] != "cancelled");
            let ids: Vec<_> = open
                .map(|order| order["id"].as_str().unwrap().to_owned())
                .collect();
            cancelled += count(&join_all(ids.iter().map(|id| shop.cancel("ada", id))).await, 200);
            looks += 1;
        }
        cancelled
    };
    let (answers, cancelled) = join(join_all((0..60).map(order)), cancel).await;
    assert!(cancelled >= 20, "{cancelled}");
    for answer in &answers {
        assert!([201, 409].contains(&answer.status), "{answer:?}");
    }
    shop.settle().await;
    shop.assert_consistent().await;
}
