//! Pages of lists, and queries.

use serde_json::{Value, json};
use test_kit::hostile;
use uuid::Uuid;

use crate::test_service::Things;

#[actix_web::test]
async fn the_pages_of_a_list_add_up_to_the_whole_list() {
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
async fn an_invalid_query_is_refused_and_unknown_parameters_are_ignored() {
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
    for malformed in ["q=%ff", "q=%zz", "q=%", "q=%4", "unknown=%c3%28", "%ff=1"] {
        things
            .anonymous()
            .get(&format!("/things?{malformed}"))
            .await
            .assert_problem(400, "invalid_query");
    }
    for valid in ["?", "?utm_source=x", "?q=%F0%9F%99%82", "?q=", "?limit=1&x=1&x=2"] {
        things
            .anonymous()
            .get(&format!("/things{valid}"))
            .await
            .assert_status(200);
    }
}

#[actix_web::test]
async fn a_malformed_id_is_answered_as_an_unknown_one() {
    let things = Things::spawn().await;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    things
        .anonymous()
        .get(&format!("/things/{id}"))
        .await
        .assert_status(200);
    for malformed in [
        "1",
        "01890A5D-AC96-774B-BCCE-B302099A8057",
        "%00",
        "%20",
        "{id}",
        "00000000-0000-0000-0000-000000000000",
    ] {
        things
            .anonymous()
            .get(&format!("/things/{malformed}"))
            .await
            .assert_problem(404, "thing_not_found");
    }
}

#[actix_web::test]
async fn an_id_has_the_same_spelling_in_queries_and_bodies_as_in_paths() {
    let things = Things::spawn().await;
    let client = things.anonymous();
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    client.get(&format!("/ids?id={id}")).await.assert_status(200);
    client.post("/ids", json!({"id": id})).await.assert_status(200);
    for malformed in [
        "1",
        "01890A5D-AC96-774B-BCCE-B302099A8057",
        "01890a5dac96774bbcceb302099a8057",
        "{01890a5d-ac96-774b-bcce-b302099a8057}",
        "urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057",
    ] {
        client
            .get(&format!("/ids?id={malformed}"))
            .await
            .assert_problem(400, "invalid_query");
        let refused = client.post("/ids", json!({"id": malformed})).await;
        refused.assert_invalid("id");
        assert_eq!(
            refused.json()["errors"][0]["message"],
            "must be a UUID in lowercase with hyphens"
        );
    }
}
