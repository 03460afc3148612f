//! Reading and setting stock.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::journal::Journal;
use crate::{new_id, shop, url};

#[actix_web::test]
async fn a_product_that_was_never_stocked_has_zeros_and_an_unknown_one_is_404() {
    let shop = shop().await;
    let product = shop.product();
    let anonymous = shop.service.anonymous();
    let shown = anonymous.get(&url(product)).await;
    let zeros =
        json!({"product_id": product, "on_hand": 0, "reserved": 0, "available": 0, "updated_at": null});
    assert_eq!(shown.assert_status(200).json(), zeros);
    assert_eq!(shown.header("etag"), r#""0""#);
    anonymous
        .with("if-none-match", r#""0""#)
        .get(&url(product))
        .await
        .assert_status(304);
    anonymous
        .get(&url(new_id()))
        .await
        .assert_problem(404, "product_not_found");
    anonymous
        .with("if-none-match", "*")
        .get(&url(new_id()))
        .await
        .assert_problem(404, "product_not_found");
}

#[actix_web::test]
async fn only_the_product_s_owner_and_admins_may_set_its_stock() {
    let shop = shop().await;
    let (service, product) = (&shop.service, shop.product());
    for user in [service.user("bob"), service.support()] {
        let refused = user.put(&url(product), json!({"on_hand": 1})).await;
        refused.assert_problem(403, "forbidden");
        assert!(
            refused
                .header("www-authenticate")
                .contains(r#"error="insufficient_scope""#)
        );
    }
    for caller in ["order-service", "product-service"] {
        service
            .service(caller)
            .put(&url(product), json!({"on_hand": 1}))
            .await
            .assert_problem(403, "forbidden");
    }
    assert_eq!(shop.stock(product).await, [0, 0, 0]);

    let by_owner = service
        .user("ada")
        .put(&url(product), json!({"on_hand": 7}))
        .await;
    let stock = json!({"product_id": product, "on_hand": 7, "reserved": 0, "available": 7});
    by_owner.assert(200, stock.clone());
    assert_eq!(by_owner.header("etag"), r#""1""#);
    service.anonymous().get(&url(product)).await.assert(200, stock);
    let by_admin = service.admin().put(&url(product), json!({"on_hand": 3})).await;
    by_admin.assert(200, json!({"on_hand": 3, "available": 3}));
    assert_eq!(by_admin.header("etag"), r#""2""#);

    let id_of = |name: &str| service.user_token(name, &["user"]).claims().sub.clone();
    let journal = Journal::of(&shop).await;
    assert_eq!(
        journal.entries(product).await,
        [
            ("set".to_owned(), 7, 0, id_of("ada")),
            ("set".to_owned(), -4, 0, id_of("admin"))
        ]
    );
    journal.assert_consistent().await;
}

#[actix_web::test]
async fn updated_at_is_the_time_of_the_last_change() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    let at = async || shop.service.anonymous().get(&url(product)).await.json()["updated_at"].clone();
    let first = at().await;
    shop.service
        .issuer()
        .clock()
        .advance(chrono::TimeDelta::seconds(60));
    assert_eq!(at().await, first);
    shop.reserve(new_id(), &[(product, 1)]).await.assert_status(201);
    let second = at().await;
    assert!(second.as_str() > first.as_str(), "{first} {second}");
    assert!(second.as_str().unwrap().ends_with('Z'));
}

#[actix_web::test]
async fn a_count_below_the_reserved_quantity_is_refused() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    shop.reserve(new_id(), &[(product, 3)]).await.assert_status(201);
    shop.set(product, 2).await.assert_problem(409, "below_reserved");
    shop.set(product, 0).await.assert_problem(409, "below_reserved");
    assert_eq!(shop.stock(product).await, [5, 3, 2]);
    shop.set(product, 3)
        .await
        .assert(200, json!({"on_hand": 3, "reserved": 3, "available": 0}));
    Journal::of(&shop).await.assert_consistent().await;
}

#[actix_web::test]
async fn the_largest_allowed_values_are_accepted() {
    let shop = shop().await;
    let product = shop.product();
    shop.set(product, 1_000_000_000_000)
        .await
        .assert(200, json!({"available": 1_000_000_000_000_i64}));
    shop.reserve(new_id(), &[(product, 10_000)])
        .await
        .assert_status(201);
    shop.set(product, 10_000).await.assert_status(200);
    let emptied = shop.product_with(1).await;
    shop.set(emptied, 0).await.assert(200, json!({"on_hand": 0}));
}

#[actix_web::test]
async fn if_match_guards_against_changing_another_version() {
    let shop = shop().await;
    let product = shop.product();
    let ada = shop.service.user("ada");
    let set = async |tag: &str, on_hand: i64| {
        ada.with("if-match", tag)
            .put(&url(product), json!({"on_hand": on_hand}))
            .await
    };
    set(r#""1""#, 9).await.assert_problem(412, "precondition_failed");
    assert_eq!(shop.stock(product).await, [0, 0, 0]);
    assert_eq!(
        shop.service.anonymous().get(&url(product)).await.header("etag"),
        r#""0""#
    );
    set(r#""0""#, 5).await.assert_status(200);
    set(r#""0""#, 9).await.assert_problem(412, "precondition_failed");
    set(r#"W/"1""#, 9)
        .await
        .assert_problem(412, "precondition_failed");
    for unreadable in ["", "1", "\"1", "\"1\" \"2\""] {
        set(unreadable, 9).await.assert_problem(400, "invalid_header");
    }
    // A reservation changes the version too.
    let tag = shop
        .service
        .anonymous()
        .get(&url(product))
        .await
        .header("etag")
        .to_owned();
    shop.reserve(new_id(), &[(product, 2)]).await.assert_status(201);
    set(&tag, 9).await.assert_problem(412, "precondition_failed");
    assert_eq!(shop.stock(product).await, [5, 2, 3]);
    set("*", 6).await.assert_status(200);
    let newest = shop
        .service
        .anonymous()
        .get(&url(product))
        .await
        .header("etag")
        .to_owned();
    shop.service
        .anonymous()
        .with("if-none-match", &newest)
        .get(&url(product))
        .await
        .assert_status(304);
    shop.service
        .anonymous()
        .with("if-none-match", &tag)
        .get(&url(product))
        .await
        .assert_status(200);
    set(&format!("\"x\", {newest}"), 7).await.assert_status(200);
}

#[actix_web::test]
async fn permission_is_checked_before_the_version_and_the_version_before_the_quantity() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    shop.reserve(new_id(), &[(product, 3)]).await.assert_status(201);
    let none = json!({"on_hand": 0});
    let stale = |person: &str| shop.service.user(person).with("if-match", r#""9""#);
    stale("bob")
        .put(&url(new_id()), none.clone())
        .await
        .assert_problem(404, "product_not_found");
    stale("bob")
        .put(&url(product), none.clone())
        .await
        .assert_problem(403, "forbidden");
    stale("ada")
        .put(&url(product), none.clone())
        .await
        .assert_problem(412, "precondition_failed");
    shop.service
        .user("ada")
        .put(&url(product), none)
        .await
        .assert_problem(409, "below_reserved");
}

#[actix_web::test]
async fn concurrent_first_counts_all_succeed() {
    let shop = shop().await;
    let product = shop.product();
    for answer in join_all((1..=20).map(|on_hand| shop.set(product, on_hand))).await {
        answer.assert_status(200);
    }
    let shown = shop.service.anonymous().get(&url(product)).await;
    assert_eq!(shown.header("etag"), r#""20""#);
    Journal::of(&shop).await.assert_consistent().await;
}

#[actix_web::test]
async fn one_of_many_concurrent_conditional_first_counts_succeeds() {
    let shop = shop().await;
    let product = shop.product();
    let first = shop.service.user("ada").with("if-match", r#""0""#);
    let set = async |on_hand: i64| first.put(&url(product), json!({"on_hand": on_hand})).await;
    let answers = join_all((1..=20).map(set)).await;
    let (accepted, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(accepted.len(), 1);
    for answer in refused {
        answer.assert_problem(412, "precondition_failed");
    }
    let on_hand = accepted[0].json()["on_hand"].clone();
    shop.service
        .anonymous()
        .get(&url(product))
        .await
        .assert(200, json!({"on_hand": on_hand}));
}

#[actix_web::test]
async fn an_invalid_count_changes_nothing() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    let ada = shop.service.user("ada");
    let wrong = [
        "-1",
        "1000000000001",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775809",
        "1.5",
        "5.0",
        "1e3",
        "\"1\"",
        "null",
        "true",
        "[1]",
        "{}",
    ];
    for on_hand in wrong {
        let body = format!(r#"{{"on_hand": {on_hand}}}"#);
        let answer = ada
            .send(&actix_web::http::Method::PUT, &url(product), |request| {
                request.header("content-type", "application/json").body(body)
            })
            .await;
        answer.assert_invalid("on_hand");
    }
    ada.put(&url(product), json!({})).await.assert_invalid("on_hand");
    for field in ["reserved", "available", "product_id"] {
        ada.put(&url(product), json!({"on_hand": 1, field: 1}))
            .await
            .assert_invalid(field);
    }
    assert_eq!(shop.stock(product).await, [5, 0, 5]);
    assert_eq!(Journal::of(&shop).await.entries(product).await.len(), 1);
}

#[actix_web::test]
async fn stock_and_reservations_survive_a_restart() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    let (reserved, refused) = (new_id(), new_id());
    let answers: [Value; 2] = [
        shop.reserve(reserved, &[(product, 2)])
            .await
            .assert_status(201)
            .json(),
        shop.reserve(refused, &[(product, 4)])
            .await
            .assert_status(409)
            .json()["short"]
            .clone(),
    ];

    let shop = shop.restart().await;
    assert_eq!(shop.stock(product).await, [5, 2, 3]);
    assert_eq!(
        shop.reserve(reserved, &[(product, 2)])
            .await
            .assert_status(201)
            .json(),
        answers[0]
    );
    assert_eq!(
        shop.reserve(refused, &[(product, 4)])
            .await
            .assert_status(409)
            .json()["short"],
        answers[1]
    );
    shop.commit(reserved).await.assert_status(200);

    let shop = shop.restart().await;
    assert_eq!(shop.stock(product).await, [3, 0, 3]);
    shop.release(reserved).await.assert_problem(409, "committed");
    Journal::of(&shop).await.assert_consistent().await;
}

#[actix_web::test]
async fn the_database_rejects_impossible_rows() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    shop.reserve(new_id(), &[(product, 3)]).await.assert_status(201);
    let journal = Journal::of(&shop).await;
    for impossible in [
        "update stock set reserved = on_hand + 1",
        "update stock set reserved = -1",
        "update stock set on_hand = reserved - 1",
        "update stock set on_hand = 1000000000001",
        "update reservations set state = 'lost'",
        "update reservation_lines set quantity = 0",
        "update reservation_lines set quantity = 10001",
        "update reservation_lines set available = quantity",
        "update stock_journal set kind = 'stolen'",
        "update stock_journal set order_id = null where kind = 'reserve'",
        "update stock_journal set kind = 'reserve' where kind = 'set'",
        "delete from stock",
        "delete from reservations",
    ] {
        assert!(!journal.accepts(impossible).await, "{impossible}");
    }
    assert!(journal.accepts("update stock set on_hand = reserved").await);
}
