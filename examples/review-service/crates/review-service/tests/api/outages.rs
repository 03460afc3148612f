//! Requests while order-service fails.

use serde_json::json;
use uuid::Uuid;

use crate::{Shop, praise, shop};

/// Requires that no review is written unless the purchase is certain, and that reviews can be read and deleted.
async fn assert_only_writing_fails(shop: &Shop, product: Uuid, existing: &str) {
    let refused = shop.review("bob", praise(product)).await;
    refused.assert_problem(503, "order_service_unavailable");
    assert!(refused.header("retry-after").parse::<u32>().unwrap() > 0);

    let anonymous = shop.service.anonymous();
    anonymous.get(existing).await.assert_status(200);
    shop.service.user("ada").delete(existing).await.assert_status(204);
    let list = anonymous.get(&format!("/reviews?product_id={product}")).await;
    list.assert(200, json!({"items": []}));
}

#[actix_web::test]
async fn only_writing_reviews_fails_while_order_service_is_down() {
    let shop = shop().await;
    let lamp = shop.product_of(&["ada", "bob"]);
    let written = shop.review("ada", praise(lamp)).await;
    shop.orders.close().await;
    assert_only_writing_fails(&shop, lamp, written.header("location")).await;
}

#[actix_web::test]
async fn an_unexpected_answer_of_order_service_admits_no_review() {
    for status in [401, 403, 404, 500] {
        let shop = shop().await;
        let lamp = shop.product_of(&["ada", "bob"]);
        let written = shop.review("ada", praise(lamp)).await;
        shop.orders.fail_with(status);
        assert_only_writing_fails(&shop, lamp, written.header("location")).await;
    }
}
