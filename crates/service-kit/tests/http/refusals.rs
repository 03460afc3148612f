//! Every refusal is problem details, and reveals nothing internal.

use actix_web::http::Method;
use serde_json::json;
use test_kit::TestResponse;

use crate::test_service::{SECRET, Things};

#[track_caller]
fn assert_keeps_secrets(answer: &TestResponse) {
    let answered = format!("{:?} {}", answer.headers, answer.body);
    assert!(!answered.contains(SECRET), "{answered}");
    assert!(
        !answered.contains("Custom") && !answered.contains("io::Error"),
        "{answered}"
    );
}

#[actix_web::test]
async fn an_error_of_a_handler_becomes_problem_details() {
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
async fn an_internal_error_reveals_nothing() {
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
async fn a_refusal_of_the_framework_has_a_detail() {
    let things = Things::spawn().await;
    for (method, path, status) in [
        ("GET", "/no", 404),
        ("DELETE", "/things", 405),
        ("GET", "/answers?how=none", 404),
        ("GET", "/answers?how=page", 502),
        ("GET", "/fails?how=framework", 500),
        ("GET", "/fails?how=framework_teapot", 418),
        ("GET", "/fails?how=other", 400),
    ] {
        let method = method.parse().unwrap();
        let answer = things.anonymous().send(&method, path, |request| request).await;
        let detail = answer.assert_status(status).json()["detail"].clone();
        assert!(
            detail.as_str().is_some_and(|detail| detail.ends_with('.')),
            "{path}: {detail}"
        );
    }
}

#[actix_web::test]
async fn a_panic_fails_only_its_own_request() {
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
async fn a_503_has_a_retry_after_header() {
    let things = Things::spawn_with_short_deadline().await;
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

/// RFC 6749 §5.2 defines another form for the errors of the token endpoint.
#[actix_web::test]
async fn a_refusal_that_is_json_already_is_not_changed() {
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
async fn a_405_lists_the_allowed_methods() {
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
async fn an_answer_to_a_request_with_a_token_is_not_cached() {
    let things = Things::spawn_with_short_deadline().await;
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

/// The body of an anonymous caller is never read, so 401 comes before any other refusal.
#[actix_web::test]
async fn an_anonymous_caller_is_refused_before_the_body_is_read() {
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
