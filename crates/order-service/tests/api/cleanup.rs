//! An `Idempotency-Key` refers to its order for 24 hours. Afterwards it is free, and cleanup deletes it.

use serde_json::json;

use crate::idempotency::REPLAYED;
use crate::shop::{Shop, eventually, id_of, shop};

#[actix_web::test]
async fn a_key_is_free_after_24_hours() {
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
    // Now the key refers to the second order.
    order(1).await.assert_problem(422, "idempotency_mismatch");
    order(2).await.assert(201, json!({"id": id_of(&second)}));
    shop.advance(24 * 60 * 60 - 1);
    order(2).await.assert(201, json!({"id": id_of(&second)}));
}

#[actix_web::test]
async fn cleanup_deletes_only_expired_keys() {
    let mut shop = shop().await;
    let lamp = shop.product(100, 50);
    shop.order_with_key("ada", "old", &[(lamp, 1)])
        .await
        .assert_status(201);
    shop.db.copy_keys(2_500).await;
    shop.advance(60);
    shop.order_with_key("ada", "new", &[(lamp, 1)])
        .await
        .assert_status(201);
    shop.advance(24 * 60 * 60 - 60);
    // Cleanup runs at the start and then every minute.
    shop.stop().await;
    shop.start();
    eventually("only the new key is left", async || shop.db.keys().await == 1).await;
    let again = shop.order_with_key("ada", "new", &[(lamp, 1)]).await;
    assert_eq!(again.assert_status(201).header(REPLAYED), "true");
    assert_eq!(shop.db.orders().await, 2);
}

#[actix_web::test]
async fn cleanup_keeps_a_key_that_is_renewed_concurrently() {
    let mut shop = shop().await;
    let lamp = shop.product(100, 50);
    let order = async |shop: &Shop| shop.order_with_key("ada", "k", &[(lamp, 1)]).await;
    let first = id_of(order(&shop).await.assert_status(201));
    shop.stop().await;
    shop.advance(24 * 60 * 60);
    let renewal = shop.db.renew_keys(shop.issuer().clock().now()).await;
    shop.start();
    // SQLite has one writer at a time: cleanup can't begin before the renewal has ended, so there is nothing to wait for.
    let is_waiting = async || shop.db.is_waiting("delete from idempotency_keys").await;
    eventually("cleanup waits for the renewal", async || {
        is_waiting().await != Some(false)
    })
    .await;
    renewal.commit().await.unwrap();
    eventually("cleanup has ended", async || is_waiting().await != Some(true)).await;
    order(&shop).await.assert(201, json!({"id": first}));
}
