//! Changing and deleting a product.

use serde_json::json;

use crate::{create, lamp, shop};

#[actix_web::test]
async fn only_the_owner_and_admins_may_change_a_product() {
    let shop = shop().await;
    let url = create(&shop.user("ada"), lamp()).await;

    shop.user("bob")
        .patch(&url, json!({"price_cents": 1}))
        .await
        .assert_problem(403, "forbidden");
    let refused = shop.support().patch(&url, json!({"price_cents": 1})).await;
    refused.assert_problem(403, "forbidden");
    assert!(
        refused
            .header("www-authenticate")
            .contains(r#"error="insufficient_scope""#)
    );
    shop.anonymous().get(&url).await.assert(200, lamp());

    shop.user("ada")
        .patch(&url, json!({"price_cents": 5}))
        .await
        .assert(200, json!({"price_cents": 5, "name": "Lamp"}));
    shop.admin()
        .patch(&url, json!({"name": "Lantern"}))
        .await
        .assert(200, json!({"price_cents": 5, "name": "Lantern"}));
    let shown = shop.anonymous().get(&url).await;
    shown.assert(
        200,
        json!({"price_cents": 5, "name": "Lantern", "description": "Gives light.", "currency": "EUR"}),
    );
}

#[actix_web::test]
async fn a_change_keeps_the_owner_and_the_creation_time() {
    let shop = shop().await;
    let url = create(&shop.user("ada"), lamp()).await;
    let before = shop.anonymous().get(&url).await.json();
    shop.issuer().clock().advance(chrono::TimeDelta::seconds(60));
    let after = shop
        .admin()
        .patch(&url, json!({"description": ""}))
        .await
        .assert_status(200)
        .json();
    for kept in ["id", "owner_id", "created_at", "name"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    assert_ne!(after["updated_at"], before["updated_at"]);
    assert_eq!(after["description"], "");
}

#[actix_web::test]
async fn a_search_finds_a_changed_product_by_its_new_name_only() {
    let shop = shop().await;
    let url = create(&shop.user("ada"), lamp()).await;
    shop.user("ada")
        .patch(&url, json!({"name": "Lantern"}))
        .await
        .assert_status(200);
    let count = async |q: &str| {
        shop.anonymous().get(&format!("/products?q={q}")).await.json()["items"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(
        (count("lantern").await, count("lamp").await, count("light").await),
        (1, 0, 1)
    );
}

#[actix_web::test]
async fn an_invalid_change_changes_nothing() {
    let shop = shop().await;
    let ada = shop.user("ada");
    let url = create(&ada, lamp()).await;
    for (field, value) in [
        ("name", json!("")),
        ("name", json!(null)),
        ("description", json!(null)),
        ("price_cents", json!(-1)),
        ("price_cents", json!(null)),
        ("currency", json!("euro")),
        ("owner_id", json!("01890a5d-ac96-774b-bcce-b302099a8057")),
        ("version", json!(9)),
    ] {
        ada.patch(&url, json!({"price_cents": 7, field: value}))
            .await
            .assert_invalid(field);
    }
    shop.anonymous().get(&url).await.assert(200, lamp());
}

#[actix_web::test]
async fn if_match_guards_against_changing_another_version() {
    let shop = shop().await;
    let ada = shop.user("ada");
    let url = create(&ada, lamp()).await;
    let tag = shop.anonymous().get(&url).await.header("etag").to_owned();

    let changed = ada
        .with("if-match", &tag)
        .patch(&url, json!({"price_cents": 5}))
        .await;
    assert_ne!(changed.assert_status(200).header("etag"), tag);
    ada.with("if-match", &tag)
        .patch(&url, json!({"price_cents": 6}))
        .await
        .assert_problem(412, "precondition_failed");
    ada.with("if-match", &format!("W/{}", changed.header("etag")))
        .patch(&url, json!({"price_cents": 6}))
        .await
        .assert_problem(412, "precondition_failed");
    shop.admin()
        .with("if-match", &tag)
        .delete(&url)
        .await
        .assert_problem(412, "precondition_failed");
    for unreadable in ["", "1", "\"1", "\"1\" \"2\""] {
        ada.with("if-match", unreadable)
            .patch(&url, json!({"price_cents": 6}))
            .await
            .assert_problem(400, "invalid_header");
    }
    shop.anonymous()
        .get(&url)
        .await
        .assert(200, json!({"price_cents": 5}));

    ada.with("if-match", "*")
        .patch(&url, json!({"price_cents": 7}))
        .await
        .assert_status(200);
    let newest = shop.anonymous().get(&url).await.header("etag").to_owned();
    ada.with("if-match", &format!("\"x\", {newest}"))
        .patch(&url, json!({"price_cents": 8}))
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn one_of_many_concurrent_changes_of_a_version_succeeds() {
    let shop = shop().await;
    let ada = shop.user("ada");
    let url = create(&ada, lamp()).await;
    let change = async |price: i64| {
        ada.with("if-match", "\"1\"")
            .patch(&url, json!({"price_cents": price}))
            .await
            .status
    };
    let mut statuses = actix_web::rt::time::timeout(
        std::time::Duration::from_secs(20),
        futures_util::future::join_all((0..20).map(change)),
    )
    .await
    .unwrap();
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert!(statuses[1..].iter().all(|status| *status == 412), "{statuses:?}");
}

#[actix_web::test]
async fn concurrent_changes_of_different_fields_are_all_kept() {
    let shop = shop().await;
    let ada = shop.user("ada");
    let url = create(&ada, lamp()).await;
    let changes = [
        json!({"name": "N"}),
        json!({"description": "D"}),
        json!({"price_cents": 3}),
        json!({"currency": "CHF"}),
    ];
    let answers = futures_util::future::join_all(changes.map(|change| ada.patch(&url, change))).await;
    for answer in answers {
        answer.assert_status(200);
    }
    let all = json!({"name": "N", "description": "D", "price_cents": 3, "currency": "CHF"});
    assert_eq!(
        shop.anonymous().get(&url).await.assert(200, all).header("etag"),
        r#""5""#
    );
}

#[actix_web::test]
async fn an_admin_deletes_a_product_once() {
    let shop = shop().await;
    let url = create(&shop.user("ada"), lamp()).await;
    shop.user("ada")
        .delete(&url)
        .await
        .assert_problem(403, "forbidden");
    shop.admin()
        .with("if-match", "\"1\"")
        .delete(&url)
        .await
        .assert_status(204);
    shop.admin()
        .delete(&url)
        .await
        .assert_problem(404, "product_not_found");
    shop.anonymous()
        .get(&url)
        .await
        .assert_problem(404, "product_not_found");
    shop.user("ada")
        .patch(&url, json!({"price_cents": 1}))
        .await
        .assert_problem(404, "product_not_found");
}

#[actix_web::test]
async fn a_product_survives_a_restart() {
    let first = shop().await;
    let url = create(&first.user("ada"), lamp()).await;
    let again = crate::restart(first).await;
    again.anonymous().get(&url).await.assert(200, lamp());
}
