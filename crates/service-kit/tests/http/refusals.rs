//! Every refusal has one shape, whoever makes it, and tells nothing of what is inside.

use actix_web::http::Method;
use serde_json::json;
use test_kit::TestResponse;

use crate::things::{SECRET, Things};

#[track_caller]
fn assert_keeps_secrets(answer: &TestResponse) {
    let told = format!("{:?} {}", answer.headers, answer.body);
    assert!(!told.contains(SECRET), "{told}");
    assert!(!told.contains("Custom") && !told.contains("io::Error"), "{told}");
}

#[actix_web::test]
async fn a_handlers_own_errors_have_the_one_shape() {
    let things = Things::spawn().await;
    let fail = async |how: &str| things.anonymous().get(&format!("/fails?how={how}")).await;

    let answer = fail("not_found").await;
    answer
        .assert_problem(404, "thing_not_found")
        .assert(404, json!({"detail": "There is no such thing."}));
    fail("changed").await.assert_problem(412, "precondition_failed");

    let answer = fail("invalid").await;
    answer.assert_invalid("text").assert_invalid("size");

    // RFC 6750 §3.1
    let answer = fail("forbidden").await;
    let challenge = answer.assert_problem(403, "forbidden").header("www-authenticate");
    assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");

    let answer = fail("throttled").await;
    assert_eq!(
        answer.assert_problem(429, "throttled").header("retry-after"),
        "60"
    );
    for refused in ["not_found", "changed", "invalid", "forbidden", "internal"] {
        assert_eq!(fail(refused).await.header("retry-after"), "", "{refused}");
    }
}

#[actix_web::test]
async fn an_internal_error_says_nothing_but_that_it_is_one() {
    let things = Things::spawn().await;
    for path in [
        "/fails?how=internal",
        "/fails?how=framework",
        "/answers?how=text",
        "/panics",
    ] {
        let answer = things.anonymous().get(path).await;
        assert_keeps_secrets(answer.assert_problem(500, "internal"));
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
    for (path, status, code) in [
        ("/fails?how=framework_teapot", 418, "bad_request"),
        ("/fails?how=other", 400, "bad_request"),
        ("/answers?how=page", 502, "internal"),
        ("/answers?how=none", 404, "not_found"),
    ] {
        assert_keeps_secrets(things.anonymous().get(path).await.assert_problem(status, code));
    }
}

#[actix_web::test]
async fn a_panic_ends_one_request_and_nothing_else() {
    let things = Things::spawn().await;
    let mut wire = things.connect().await;
    for _ in 0..20 {
        wire.send("GET /panics HTTP/1.1\r\nhost: a\r\n\r\n").await;
        wire.hear().await.assert_problem(500, "internal");
    }
    wire.assert_works().await;
    things.anonymous().get("/id").await.assert_status(200);
}

#[actix_web::test]
async fn whoever_is_told_that_a_service_is_unavailable_is_told_when_to_come_back() {
    let things = Things::spawn_hasty().await;
    things
        .database_is_there
        .store(false, std::sync::atomic::Ordering::SeqCst);
    for (path, code, seconds) in [
        ("/fails?how=unavailable", "unavailable", "1"),
        ("/hangs", "timeout", "1"),
        ("/health/ready", "not_ready", "1"),
        ("/answers?how=timeless", "internal", "9"),
    ] {
        let answer = things.anonymous().get(path).await;
        assert_eq!(
            answer.assert_problem(503, code).header("retry-after"),
            seconds,
            "{path}"
        );
    }
}

/// RFC 6749 §5.2 has a shape of its own.
#[actix_web::test]
async fn a_refusal_that_is_json_already_is_left_alone() {
    let things = Things::spawn().await;
    let answer = things.anonymous().get("/answers?how=oauth").await;
    answer.assert_status(400);
    assert_eq!(answer.json(), json!({"error": "invalid_grant"}));
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(!answer.header("x-request-id").is_empty());
}

#[actix_web::test]
async fn an_unknown_path_is_not_found_for_every_method() {
    let things = Things::spawn().await;
    for path in [
        "/",
        "/no",
        "/things/",
        "/things/a/b",
        "/health",
        "/health/live/",
        "//things",
        "/THINGS",
        "/docs2",
    ] {
        for method in [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ] {
            let answer = things.anonymous().send(&method, path, |request| request).await;
            answer.assert_problem(404, "not_found");
        }
    }
}

#[actix_web::test]
async fn a_wrong_method_is_told_which_are_right() {
    let things = Things::spawn().await;
    for (path, method, allowed) in [
        ("/things", "DELETE", "GET, POST, HEAD"),
        ("/things", "OPTIONS", "GET, POST, HEAD"),
        ("/things/1", "PATCH", "GET, PUT, HEAD"),
        ("/things/maybe", "DELETE", "POST"),
        ("/admin/hangs", "POST", "GET, HEAD"),
        ("/health/live", "PUT", "GET, HEAD"),
        ("/metrics", "BREW", "GET, HEAD"),
        ("/openapi.json", "POST", "GET, HEAD"),
    ] {
        let method = method.parse().unwrap();
        let answer = things.anonymous().send(&method, path, |request| request).await;
        assert_eq!(
            answer.assert_problem(405, "method_not_allowed").header("allow"),
            allowed,
            "{method} {path}"
        );
    }
}

#[actix_web::test]
async fn what_comes_from_behind_a_token_is_stored_nowhere() {
    let things = Things::spawn_hasty().await;
    let admin = things.admin();
    for (client, path, status) in [
        (&admin, "/admin", 200),
        (&admin, "/admin/hangs", 503),
        (&things.user("ada"), "/user", 200),
        (&things.user("ada"), "/admin", 403),
        (&things.user("ada"), "/optional", 200),
        (things.anonymous(), "/admin", 401),
    ] {
        let answer = client.get(path).await;
        assert_eq!(
            answer.assert_status(status).header("cache-control"),
            "no-store",
            "{path}"
        );
    }
    let refused = admin.post("/admin", json!({"text": ""})).await;
    assert_eq!(refused.assert_invalid("text").header("cache-control"), "no-store");
    assert_eq!(
        things.anonymous().get("/things").await.header("cache-control"),
        ""
    );
}

/// A stranger's body is never read, so 401 comes before whatever else is wrong.
#[actix_web::test]
async fn a_stranger_is_refused_before_anything_else_is_looked_at() {
    let things = Things::spawn().await;
    things
        .anonymous()
        .post("/admin", json!({"wrong": 1}))
        .await
        .assert_problem(401, "no_token");
    things
        .user("ada")
        .post("/admin", json!({"wrong": 1}))
        .await
        .assert_problem(403, "forbidden");
    things
        .admin()
        .post("/admin", json!({"wrong": 1}))
        .await
        .assert_problem(422, "invalid_body");
    let mut wire = things.connect().await;
    wire.send(
        "POST /admin HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n",
    )
    .await;
    wire.hear().await.assert_problem(401, "no_token");
}
