//! How much there is, and who says so.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::books::Books;
use crate::{order, shop, url};

#[actix_web::test]
async fn a_product_that_was_never_stocked_has_zeros_and_an_unknown_one_is_absent() {
    let shop = shop().await;
    let product = shop.product();
    let nobody = shop.service.anonymous();
    let shown = nobody.get(&url(product)).await;
    let zeros =
        json!({"product_id": product, "on_hand": 0, "reserved": 0, "available": 0, "updated_at": null});
    assert_eq!(shown.assert_status(200).json(), zeros);
    assert_eq!(shown.header("etag"), r#""0""#);
    nobody
        .with("if-none-match", r#""0""#)
        .get(&url(product))
        .await
        .assert_status(304);
    nobody
        .get(&url(order()))
        .await
        .assert_problem(404, "product_not_found");
    nobody
        .with("if-none-match", "*")
        .get(&url(order()))
        .await
        .assert_problem(404, "product_not_found");
}

#[actix_web::test]
async fn its_owner_and_an_admin_say_how_much_there_is_and_nobody_else() {
    let shop = shop().await;
    let (service, product) = (&shop.service, shop.product());
    for stranger in [service.user("bob"), service.support()] {
        let refused = stranger.put(&url(product), json!({"on_hand": 1})).await;
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

    let of_owner = service
        .user("ada")
        .put(&url(product), json!({"on_hand": 7}))
        .await;
    let stock = json!({"product_id": product, "on_hand": 7, "reserved": 0, "available": 7});
    of_owner.assert(200, stock.clone());
    assert_eq!(of_owner.header("etag"), r#""1""#);
    service.anonymous().get(&url(product)).await.assert(200, stock);
    let of_admin = service.admin().put(&url(product), json!({"on_hand": 3})).await;
    of_admin.assert(200, json!({"on_hand": 3, "available": 3}));
    assert_eq!(of_admin.header("etag"), r#""2""#);

    let id_of = |name: &str| service.person(name, &["user"]).claims().sub.clone();
    let books = Books::of(&shop).await;
    assert_eq!(
        books.journal(product).await,
        [
            ("set".to_owned(), 7, 0, id_of("ada")),
            ("set".to_owned(), -4, 0, id_of("admin"))
        ]
    );
    books.assert_right().await;
}

#[actix_web::test]
async fn an_answer_says_when_the_stock_last_changed() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    let at = async || shop.service.anonymous().get(&url(product)).await.json()["updated_at"].clone();
    let first = at().await;
    shop.service
        .issuer()
        .clock()
        .advance(chrono::TimeDelta::seconds(60));
    assert_eq!(at().await, first);
    shop.reserve(order(), &[(product, 1)]).await.assert_status(201);
    let second = at().await;
    assert!(second.as_str() > first.as_str(), "{first} {second}");
    assert!(second.as_str().unwrap().ends_with('Z'));
}

#[actix_web::test]
async fn a_count_below_what_is_reserved_is_refused() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    shop.reserve(order(), &[(product, 3)]).await.assert_status(201);
    shop.set(product, 2).await.assert_problem(409, "below_reserved");
    shop.set(product, 0).await.assert_problem(409, "below_reserved");
    assert_eq!(shop.stock(product).await, [5, 3, 2]);
    shop.set(product, 3)
        .await
        .assert(200, json!({"on_hand": 3, "reserved": 3, "available": 0}));
    Books::of(&shop).await.assert_right().await;
}

#[actix_web::test]
async fn the_bounds_themselves_are_allowed() {
    let shop = shop().await;
    let product = shop.product();
    shop.set(product, 1_000_000_000_000)
        .await
        .assert(200, json!({"available": 1_000_000_000_000_i64}));
    shop.reserve(order(), &[(product, 10_000)])
        .await
        .assert_status(201);
    shop.set(product, 10_000).await.assert_status(200);
    let emptied = shop.product_with(1).await;
    shop.set(emptied, 0).await.assert(200, json!({"on_hand": 0}));
}

#[actix_web::test]
async fn whoever_names_a_version_changes_no_other() {
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
    // A reservation is a change too.
    let tag = shop
        .service
        .anonymous()
        .get(&url(product))
        .await
        .header("etag")
        .to_owned();
    shop.reserve(order(), &[(product, 2)]).await.assert_status(201);
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
async fn who_it_is_comes_before_which_version_and_that_before_how_much() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    shop.reserve(order(), &[(product, 3)]).await.assert_status(201);
    let none = json!({"on_hand": 0});
    let stale = |person: &str| shop.service.user(person).with("if-match", r#""9""#);
    stale("bob")
        .put(&url(order()), none.clone())
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
async fn of_first_counts_at_once_all_are_taken_in_some_order() {
    let shop = shop().await;
    let product = shop.product();
    for answer in join_all((1..=20).map(|on_hand| shop.set(product, on_hand))).await {
        answer.assert_status(200);
    }
    let shown = shop.service.anonymous().get(&url(product)).await;
    assert_eq!(shown.header("etag"), r#""20""#);
    Books::of(&shop).await.assert_right().await;
}

#[actix_web::test]
async fn of_first_counts_at_once_that_insist_on_being_first_one_is() {
    let shop = shop().await;
    let product = shop.product();
    let first = shop.service.user("ada").with("if-match", r#""0""#);
    let set = async |on_hand: i64| first.put(&url(product), json!({"on_hand": on_hand})).await;
    let answers = join_all((1..=20).map(set)).await;
    let (taken, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(taken.len(), 1);
    for answer in refused {
        answer.assert_problem(412, "precondition_failed");
    }
    let on_hand = taken[0].json()["on_hand"].clone();
    shop.service
        .anonymous()
        .get(&url(product))
        .await
        .assert(200, json!({"on_hand": on_hand}));
}

#[actix_web::test]
async fn a_count_that_breaks_a_rule_changes_nothing() {
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
    assert_eq!(Books::of(&shop).await.journal(product).await.len(), 1);
}

#[actix_web::test]
async fn what_was_acknowledged_survives_a_restart() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    let (reserved, refused) = (order(), order());
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
    Books::of(&shop).await.assert_right().await;
}

#[actix_web::test]
async fn the_database_itself_takes_nothing_that_can_not_be() {
    let shop = shop().await;
    let product = shop.product_with(5).await;
    shop.reserve(order(), &[(product, 3)]).await.assert_status(201);
    let books = Books::of(&shop).await;
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
        assert!(!books.takes(impossible).await, "{impossible}");
    }
    assert!(books.takes("update stock set on_hand = reserved").await);
}
