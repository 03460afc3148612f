//! Every answer has a request id.

use serde_json::json;

use crate::test_service::Things;

/// A path for each kind of answer, and its status.
const ANSWERS: [(&str, u16); 10] = [
    ("/id", 200),
    ("/answers?how=empty", 204),
    ("/docs", 308),
    ("/fails?how=internal", 500),
    ("/fails?how=framework", 500),
    ("/fails", 400),
    ("/no/such/path", 404),
    ("/admin", 401),
    ("/panics", 500),
    ("/hangs", 503),
];

#[actix_web::test]
async fn a_plain_id_from_the_caller_is_kept_in_every_answer() {
    let things = Things::spawn_with_short_deadline().await;
    let long = "b".repeat(128);
    for id in ["a", "A-Z_0.9", "..", &long] {
        for (path, status) in ANSWERS {
            let answer = things.anonymous().with("x-request-id", id).get(path).await;
            answer.assert_status(status);
            assert_eq!(answer.header("x-request-id"), id, "{path}");
            assert_eq!(answer.headers.get_all("x-request-id").iter().count(), 1, "{path}");
            if status >= 400 {
                assert_eq!(answer.json()["request_id"], id, "{path}");
            }
        }
    }
}

#[actix_web::test]
async fn an_id_with_other_characters_is_replaced() {
    let things = Things::spawn_with_short_deadline().await;
    let long = "a".repeat(129);
    let mut seen = std::collections::HashSet::new();
    for id in [
        "", "a b", "a\tb", "a,b", "a/b", "a:b", "<b>", "a=b", "a+b", "ä", "\"", "a;b", "%41", &long,
    ] {
        for (path, status) in ANSWERS.iter().filter(|(path, _)| *path != "/hangs") {
            let answer = things.anonymous().with("x-request-id", id).get(path).await;
            let new = answer.assert_status(*status).header("x-request-id").to_owned();
            assert!(uuid::Uuid::parse_str(&new).is_ok(), "{id} on {path} became {new}");
            assert!(seen.insert(new), "two requests have the same id");
        }
    }
}

#[actix_web::test]
async fn a_request_without_an_id_gets_a_new_one_that_the_handler_sees() {
    let things = Things::spawn().await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..10 {
        let answer = things.anonymous().get("/id").await;
        let id = answer.header("x-request-id").to_owned();
        answer.assert(200, json!({"id": id}));
        assert!(seen.insert(id));
    }
    let kept = things
        .anonymous()
        .with("x-request-id", "from-the-gateway")
        .get("/id")
        .await;
    kept.assert(200, json!({"id": "from-the-gateway"}));
}

#[actix_web::test]
async fn every_answer_forbids_content_sniffing() {
    let things = Things::spawn_with_short_deadline().await;
    for (path, status) in ANSWERS {
        let answer = things.anonymous().get(path).await;
        assert_eq!(
            answer.assert_status(status).header("x-content-type-options"),
            "nosniff",
            "{path}"
        );
    }
}
