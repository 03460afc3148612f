//! Whether a user bought a product, as other services ask.

use serde_json::{Value, json};
use test_kit::TestResponse;
use uuid::Uuid;

use crate::shop::{Shop, id_of, shop};

impl Shop {
    async fn purchase(&self, name: &str, product: Uuid) -> TestResponse {
        let token = self.user_token(name, &["user"]);
        let user = &token.claims().sub;
        let path = format!("/internal/purchases?user_id={user}&product_id={product}");
        self.service("another-service").get(&path).await
    }

    async fn has_bought(&self, name: &str, product: Uuid) -> bool {
        let answer = self.purchase(name, product).await.assert_status(200).json();
        let purchased = answer["purchased"].as_bool().unwrap();
        assert_eq!(answer, json!({"purchased": purchased}));
        purchased
    }
}

#[actix_web::test]
async fn a_product_is_bought_once_an_order_with_it_is_fulfilled() {
    let shop = shop().await;
    let [lamp, chair, table] = [shop.product(100, 5), shop.product(100, 5), shop.product(100, 5)];
    let order = id_of(&shop.order("ada", &[(lamp, 1), (chair, 2)]).await);
    // The user can still cancel a confirmed order.
    assert!(!shop.has_bought("ada", lamp).await);

    let fulfil = format!("/orders/{order}/fulfil");
    shop.admin().post(&fulfil, json!({})).await.assert_status(200);
    assert!(shop.has_bought("ada", lamp).await && shop.has_bought("ada", chair).await);
    assert!(!shop.has_bought("ada", table).await);
    assert!(!shop.has_bought("bob", lamp).await);
}

#[actix_web::test]
async fn a_cancelled_or_rejected_order_buys_nothing() {
    let shop = shop().await;
    let lamp = shop.product(100, 1);
    shop.order("ada", &[(lamp, 2)]).await.assert_status(409);
    let order = id_of(&shop.order("ada", &[(lamp, 1)]).await);
    let cancel = format!("/orders/{order}/cancel");
    shop.user("ada").post(&cancel, json!({})).await.assert_status(200);
    assert!(!shop.has_bought("ada", lamp).await);
}

#[actix_web::test]
async fn an_unknown_user_or_product_was_not_bought() {
    let shop = shop().await;
    assert!(!shop.has_bought("ada", Uuid::from_u128(7)).await);
    assert!(!shop.has_bought("ada", Uuid::nil()).await);
}

#[actix_web::test]
async fn a_question_without_two_valid_ids_is_refused() {
    let shop = shop().await;
    let id = Uuid::from_u128(7);
    for query in [
        String::new(),
        format!("?user_id={id}"),
        format!("?product_id={id}"),
        format!("?user_id={id}&product_id=lamp"),
        format!("?user_id={id}&product_id={}", id.simple()),
        format!("?user_id={id}&product_id={id}&user_id={id}"),
    ] {
        let path = format!("/internal/purchases{query}");
        let answer = shop.service("another-service").get(&path).await;
        answer.assert_problem(400, "invalid_query");
        assert_ne!(answer.json()["detail"], Value::Null);
    }
}
