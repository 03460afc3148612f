//! An `Idempotency-Key` stands for its order for a day, and is free after that.

use serde_json::json;

use crate::repeating::REPLAYED;
use crate::shop::{Shop, eventually, id_of, shop};

#[actix_web::test]
async fn a_key_is_free_again_after_a_day() {
    let shop = shop().await;
    let lamp = shop.product(100, 50);
    let order = async |quantity| shop.order_with_key("ada", "k", &[(lamp, quantity)]).await;
    let first = id_of(order(1).await.assert_status(201));
    shop.advance(24 * 60 * 60 - 1);
    order(1).await.assert(201, json!({"id": first}));
    order(2).await.assert_problem(422, "idempotency_mismatch");
    shop.advance(1);
    let second = order(2).await;
    assert_eq!(second.assert_status(201).header(REPLAYED), "");
    assert_ne!(id_of(&second), first);
    // From here on it stands for that one.
    order(1).await.assert_problem(422, "idempotency_mismatch");
    order(2).await.assert(201, json!({"id": id_of(&second)}));
    shop.advance(24 * 60 * 60 - 1);
    order(2).await.assert(201, json!({"id": id_of(&second)}));
}

#[actix_web::test]
async fn keys_that_are_free_again_are_forgotten() {
    let mut shop = shop().await;
    let lamp = shop.product(100, 50);
    shop.order_with_key("ada", "old", &[(lamp, 1)])
        .await
        .assert_status(201);
    shop.ledger.multiply_keys(2_500).await;
    shop.advance(60);
    shop.order_with_key("ada", "new", &[(lamp, 1)])
        .await
        .assert_status(201);
    shop.advance(24 * 60 * 60 - 60);
    // It is looked for at the start, and now and then.
    shop.stop().await;
    shop.start();
    eventually("the old key is forgotten", async || shop.ledger.keys().await == 1).await;
    let again = shop.order_with_key("ada", "new", &[(lamp, 1)]).await;
    assert_eq!(again.assert_status(201).header(REPLAYED), "true");
    assert_eq!(shop.ledger.orders().await, 2);
}

#[actix_web::test]
async fn a_key_that_is_used_again_in_the_moment_in_which_it_is_forgotten_is_not() {
    let mut shop = shop().await;
    let lamp = shop.product(100, 50);
    let order = async |shop: &Shop| shop.order_with_key("ada", "k", &[(lamp, 1)]).await;
    let first = id_of(order(&shop).await.assert_status(201));
    shop.stop().await;
    shop.advance(24 * 60 * 60);
    let claimed = shop.ledger.claim_keys(shop.issuer().clock().now()).await;
    shop.start();
    // On SQLite, which has one writer, the one can't begin before the other is through, and nobody has to wait.
    let is_waiting = async || shop.ledger.is_waiting("delete from idempotency_keys").await;
    eventually("it is to be forgotten", async || {
        is_waiting().await != Some(false)
    })
    .await;
    claimed.commit().await.unwrap();
    eventually("it is not", async || is_waiting().await != Some(true)).await;
    order(&shop).await.assert(201, json!({"id": first}));
}
