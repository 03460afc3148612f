//! Every answer bears the request's id: the caller's own where it can do no harm.

use serde_json::json;

use crate::things::Things;

/// A path for every way in which an answer can come about, and its status.
const WAYS: [(&str, u16); 10] = [
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
async fn a_plain_id_of_the_callers_is_kept_whatever_the_answer_is() {
    let things = Things::spawn_hasty().await;
    let long = "b".repeat(128);
    for id in ["a", "A-Z_0.9", "..", &long] {
        for (path, status) in WAYS {
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
async fn any_other_id_is_replaced_by_a_new_one() {
    let things = Things::spawn_hasty().await;
    let long = "a".repeat(129);
    let mut seen = std::collections::HashSet::new();
    for id in [
        "", "a b", "a\tb", "a,b", "a/b", "a:b", "<b>", "a=b", "a+b", "ä", "\"", "a;b", "%41", &long,
    ] {
        for (path, status) in WAYS.iter().filter(|(path, _)| *path != "/hangs") {
            let answer = things.anonymous().with("x-request-id", id).get(path).await;
            let new = answer.assert_status(*status).header("x-request-id").to_owned();
            assert!(uuid::Uuid::parse_str(&new).is_ok(), "{id} on {path} became {new}");
            assert!(seen.insert(new), "an id was given twice");
        }
    }
}

#[actix_web::test]
async fn who_sends_none_gets_a_new_one_each_time_and_the_handler_sees_it() {
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
async fn no_answer_may_be_taken_for_another_type_than_it_has() {
    let things = Things::spawn_hasty().await;
    for (path, status) in WAYS {
        let answer = things.anonymous().get(path).await;
        assert_eq!(
            answer.assert_status(status).header("x-content-type-options"),
            "nosniff",
            "{path}"
        );
    }
}
