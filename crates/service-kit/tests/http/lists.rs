//! Lists in pages, and what a query may say.

use serde_json::Value;
use test_kit::hostile;
use uuid::Uuid;

use crate::things::Things;

#[actix_web::test]
async fn the_pages_of_a_list_make_the_whole_list() {
    let things = Things::spawn().await;
    for (query, sizes) in [
        ("", vec![20; 12]),
        ("&limit=100", vec![100, 100]),
        ("&limit=1", vec![1; 249]),
    ] {
        let (mut ids, mut pages, mut cursor) = (Vec::new(), Vec::new(), String::new());
        loop {
            let page = things
                .anonymous()
                .get(&format!("/things?{cursor}{query}"))
                .await
                .assert_status(200)
                .json();
            let items = page["items"].as_array().unwrap();
            pages.push(items.len());
            ids.extend(
                items
                    .iter()
                    .map(|item| item["id"].as_str().unwrap().parse::<Uuid>().unwrap()),
            );
            match &page["next_cursor"] {
                Value::String(next) => cursor = format!("cursor={next}"),
                next => {
                    assert!(next.is_null());
                    break;
                }
            }
        }
        let last = 250 - sizes.iter().sum::<usize>();
        assert_eq!(pages, [sizes, vec![last]].concat(), "{query}");
        assert_eq!(
            ids,
            (1..=250).rev().map(Uuid::from_u128).collect::<Vec<_>>(),
            "{query}"
        );
    }
    let none = things
        .anonymous()
        .get("/things?q=none")
        .await
        .assert_status(200)
        .json();
    assert_eq!(none, serde_json::json!({"items": [], "next_cursor": null}));
}

#[actix_web::test]
async fn a_query_that_breaks_a_rule_is_refused_and_what_is_unknown_is_left_alone() {
    let things = Things::spawn().await;
    hostile::paging(things.anonymous(), "/things").await;
    things
        .anonymous()
        .get("/things?q=toolong")
        .await
        .assert_problem(400, "invalid_query");
    things
        .anonymous()
        .get("/things?q=a&q=b")
        .await
        .assert_problem(400, "invalid_query");
    things
        .anonymous()
        .get("/fails")
        .await
        .assert_problem(400, "invalid_query");
    for fine in ["?", "?utm_source=x", "?q=%F0%9F%99%82", "?q=", "?limit=1&x=1&x=2"] {
        things
            .anonymous()
            .get(&format!("/things{fine}"))
            .await
            .assert_status(200);
    }
}

#[actix_web::test]
async fn a_malformed_id_is_answered_as_an_unknown_one_is() {
    let things = Things::spawn().await;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    things
        .anonymous()
        .get(&format!("/things/{id}"))
        .await
        .assert_status(200);
    for wrong in [
        "1",
        "01890A5D-AC96-774B-BCCE-B302099A8057",
        "%00",
        "%20",
        "{id}",
        "00000000-0000-0000-0000-000000000000",
    ] {
        things
            .anonymous()
            .get(&format!("/things/{wrong}"))
            .await
            .assert_problem(404, "thing_not_found");
    }
}
