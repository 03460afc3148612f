//! Writing, reading and deleting reviews.

use actix_web::rt;
use serde_json::json;

use crate::{praise, shop};

#[actix_web::test]
async fn only_users_who_bought_a_product_review_it() {
    let shop = shop().await;
    let lamp = shop.product_of(&["ada"]);
    let refused = shop.review("bob", praise(lamp)).await;
    refused.assert_problem(403, "not_purchased");
    let refused = shop.service.anonymous().post("/reviews", praise(lamp)).await;
    refused.assert_problem(401, "no_token");

    let written = shop.review("ada", praise(lamp)).await;
    written.assert(201, praise(lamp));
    let read = shop.service.anonymous().get(written.header("location")).await;
    read.assert(200, written.json());
}

#[actix_web::test]
async fn a_user_reviews_a_product_once() {
    let shop = shop().await;
    let lamp = shop.product_of(&["ada", "bob"]);
    let first = shop.review("ada", praise(lamp)).await;
    first.assert_status(201);
    let second = shop.review("ada", praise(lamp)).await;
    second.assert_problem(409, "already_reviewed");
    shop.review("bob", praise(lamp)).await.assert_status(201);

    let ada = shop.service.user("ada");
    ada.delete(first.header("location")).await.assert_status(204);
    shop.review("ada", praise(lamp)).await.assert_status(201);
}

#[actix_web::test]
async fn one_of_many_concurrent_reviews_is_accepted() {
    let shop = shop().await;
    let lamp = shop.product_of(&["ada"]);
    let requests: Vec<_> = (0..20)
        .map(|_| {
            let ada = shop.service.user("ada");
            rt::spawn(async move { ada.post("/reviews", praise(lamp)).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for request in requests {
        statuses.push(request.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [&[201][..], &[409; 19]].concat());
}

#[actix_web::test]
async fn only_the_author_and_admins_delete_a_review() {
    let shop = shop().await;
    let lamp = shop.product_of(&["ada", "bob"]);
    let of_ada = shop.review("ada", praise(lamp)).await;
    let of_bob = shop.review("bob", praise(lamp)).await;
    let (of_ada, of_bob) = (of_ada.header("location"), of_bob.header("location"));

    shop.service
        .anonymous()
        .delete(of_ada)
        .await
        .assert_problem(401, "no_token");
    for other in [shop.service.user("bob"), shop.service.support()] {
        other.delete(of_ada).await.assert_problem(403, "forbidden");
    }
    shop.service.user("ada").delete(of_ada).await.assert_status(204);
    shop.service.admin().delete(of_bob).await.assert_status(204);
    let gone = shop.service.anonymous().get(of_ada).await;
    gone.assert_problem(404, "review_not_found");
    let again = shop.service.user("ada").delete(of_ada).await;
    again.assert_problem(404, "review_not_found");
}

#[actix_web::test]
async fn reviews_of_a_product_are_listed_newest_first() {
    let shop = shop().await;
    let (lamp, chair) = (shop.product_of(&["ada", "bob", "eve"]), shop.product_of(&["ada"]));
    let mut expected = Vec::new();
    for author in ["ada", "bob", "eve"] {
        expected.insert(0, shop.review(author, praise(lamp)).await.json());
    }
    let of_chair = shop.review("ada", praise(chair)).await.json();
    let list = async |query: String| {
        shop.service
            .anonymous()
            .get(&format!("/reviews?{query}"))
            .await
            .json()
    };

    let first = list(format!("product_id={lamp}&limit=2")).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = list(format!("product_id={lamp}&limit=2&cursor={cursor}")).await;
    assert_eq!(first["items"], json!(expected[..2]));
    assert_eq!(second, json!({"items": expected[2..], "next_cursor": null}));
    assert_eq!(list("limit=1".to_owned()).await["items"], json!([of_chair]));
}

#[actix_web::test]
async fn an_invalid_review_is_refused() {
    let shop = shop().await;
    let lamp = shop.product_of(&["ada"]);
    for (field, value) in [
        ("stars", json!(0)),
        ("stars", json!(6)),
        ("stars", json!(4.5)),
        ("text", json!("x".repeat(5_001))),
        ("product_id", json!("lamp")),
        ("user_id", json!("01890a5d-ac96-774b-bcce-b302099a8057")),
    ] {
        let mut review = praise(lamp);
        review[field] = value;
        shop.review("ada", review).await.assert_invalid(field);
    }
    shop.review("ada", praise(lamp)).await.assert_status(201);
}
