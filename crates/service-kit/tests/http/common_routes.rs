//! The routes that every service has: health, metrics, OpenAPI.

use std::sync::atomic::Ordering;

use actix_web::http::Method;
use auth::testing::Issuer;
use auth::{Keys, RemoteKeys};
use serde_json::{Value, json};

use crate::test_service::Things;

#[actix_web::test]
async fn an_unready_service_reports_which_check_fails() {
    let things = Things::spawn().await;
    things
        .anonymous()
        .get("/health/ready")
        .await
        .assert(200, json!({"status": "ready"}));
    things.database_is_there.store(false, Ordering::SeqCst);
    let answer = things.anonymous().get("/health/ready").await;
    answer
        .assert_problem(503, "not_ready")
        .assert(503, json!({"detail": "Not ready: database."}));
    // It is still alive.
    things
        .anonymous()
        .get("/health/live")
        .await
        .assert(200, json!({"status": "live"}));
    things.database_is_there.store(true, Ordering::SeqCst);
    things
        .anonymous()
        .get("/health/ready")
        .await
        .assert(200, json!({"status": "ready"}));
}

#[actix_web::test]
async fn a_service_without_signing_keys_is_not_ready() {
    let things = Things::spawn_as(|service| {
        let keys = RemoteKeys::at("http://127.0.0.1:1/jwks.json").unwrap();
        service.verifier(Issuer::new("thing-service").verifier_with(Keys::remote(keys)))
    })
    .await;
    things.database_is_there.store(false, Ordering::SeqCst);
    let answer = things.anonymous().get("/health/ready").await;
    answer
        .assert_problem(503, "not_ready")
        .assert(503, json!({"detail": "Not ready: database, signing keys."}));
}

#[actix_web::test]
async fn requests_are_counted_by_route_and_not_by_path() {
    let things = Things::spawn().await;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    for path in [
        "/counted/secret-path-1",
        "/counted/%73ecret",
        "/secret-path-2",
        "/docs/secret-path-3",
        "/a/secret?secret=1",
    ] {
        let answer = things.anonymous().get(path).await;
        answer.assert_status(404);
    }
    for _ in 0..3 {
        things
            .anonymous()
            .get(&format!("/counted/{id}"))
            .await
            .assert_status(200);
    }
    for method in ["SECRETLY", "BREW", "Get"] {
        let method: Method = method.parse().unwrap();
        things
            .anonymous()
            .send(&method, "/counted/1", |request| request)
            .await
            .assert_status(405);
    }

    let answer = things.anonymous().get("/metrics").await;
    assert!(
        answer
            .assert_status(200)
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    let metrics = answer.body;
    let counts = |series: &str| {
        let line = metrics.lines().find(|line| line.starts_with(series));
        line.and_then(|line| line.rsplit(' ').next())
            .and_then(|count| count.parse::<u64>().ok())
    };
    let counted = |method: &str, status: u16| {
        counts(&format!(
            r#"http_requests_total{{method="{method}",route="/counted/{{id}}",status="{status}"}}"#
        ))
    };
    assert_eq!(counted("GET", 200), Some(3), "{metrics}");
    assert_eq!(counted("GET", 404), Some(2), "{metrics}");
    assert_eq!(counted("other", 405), Some(3), "{metrics}");
    assert!(
        metrics.contains(r#"http_requests_total{method="GET",route="none",status="404"}"#),
        "{metrics}"
    );
    assert!(
        metrics.contains("http_request_duration_seconds_bucket{"),
        "{metrics}"
    );
    for raw in ["secret", "SECRET", "BREW", "01890a5d"] {
        assert!(!metrics.contains(raw), "{raw} is in {metrics}");
    }
}

/// The URLs that a page refers to.
fn references(page: &str) -> Vec<String> {
    let quoted = |after: &str| after.split(['"', '\'']).next().map(str::to_owned);
    let after = |attribute: &str| {
        page.split(attribute)
            .skip(1)
            .filter_map(quoted)
            .collect::<Vec<_>>()
    };
    ["src=\"", "src='", "href=\"", "href='"]
        .into_iter()
        .flat_map(after)
        .collect()
}

#[actix_web::test]
async fn the_page_of_the_api_has_all_its_parts() {
    let things = Things::spawn().await;
    let answer = things.anonymous().get("/docs").await;
    assert_eq!(answer.assert_status(308).header("location"), "/docs/");
    let page = things.anonymous().get("/docs/").await;
    assert!(
        page.assert_status(200)
            .header("content-type")
            .starts_with("text/html")
    );
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert_eq!(page.header("content-security-policy"), "frame-ancestors 'none'");

    let parts = references(&page.body);
    assert!(parts.iter().any(|part| part.contains(".js")), "{parts:?}");
    assert!(parts.iter().any(|part| part.contains(".css")), "{parts:?}");
    for part in &parts {
        assert!(!part.contains("//"), "{part} is on another host");
        let answer = things
            .anonymous()
            .get(&format!("/docs/{}", part.trim_start_matches("./")))
            .await;
        assert!(!answer.assert_status(200).body.is_empty(), "{part}");
    }
    let mut sources = String::new();
    for part in parts.iter().filter(|part| part.contains("initializer")) {
        sources += &things
            .anonymous()
            .get(&format!("/docs/{}", part.trim_start_matches("./")))
            .await
            .body;
    }
    assert!(
        sources.contains("/openapi.json"),
        "the page does not load the document: {parts:?}"
    );
    things
        .anonymous()
        .get("/docs/no-such-part.js")
        .await
        .assert_problem(404, "not_found");
    for climbing in [
        "/docs/../metrics",
        "/docs/..%2f..%2fCargo.toml",
        "/docs/%2e%2e/metrics",
        "/docs/..%5c",
    ] {
        let mut wire = things.connect().await;
        wire.send(format!("GET {climbing} HTTP/1.1\r\nhost: a\r\n\r\n"))
            .await;
        wire.hear().await.assert_problem(404, "not_found");
    }
}

#[actix_web::test]
async fn the_description_states_the_policy_of_each_route() {
    let things = Things::spawn().await;
    let document = things
        .anonymous()
        .get("/openapi.json")
        .await
        .assert_status(200)
        .json();
    assert_eq!(document["info"]["title"], "thing-service");
    let of = |path: &str, method: &str| document["paths"][path][method].clone();
    for (path, method, security, callers, refusals) in [
        ("/things", "get", json!([]), "anyone", vec!["400"]),
        ("/things", "post", json!([]), "anyone", vec!["403", "422"]),
        (
            "/optional",
            "get",
            json!([{}, {"bearer": []}, {"cookie": []}]),
            "anyone; a user token is optional",
            vec!["400"],
        ),
        (
            "/user",
            "get",
            json!([{"bearer": []}, {"cookie": []}]),
            "any user",
            vec!["400", "401", "403"],
        ),
        (
            "/scope",
            "get",
            json!([{"bearer": ["things:write"]}, {"cookie": ["things:write"]}]),
            "scope things:write",
            vec!["400", "401", "403", "404"],
        ),
        (
            "/service",
            "get",
            json!([{"bearer": []}]),
            "any service",
            vec!["400", "401", "403"],
        ),
        (
            "/admin",
            "get",
            json!([{"bearer": []}, {"cookie": []}]),
            "role admin",
            vec!["400", "401", "403"],
        ),
    ] {
        let operation = of(path, method);
        assert_eq!(operation["security"], security, "{method} {path}");
        assert_eq!(operation["x-policy"], callers, "{method} {path}");
        let mut described: Vec<&String> = operation["responses"]
            .as_object()
            .unwrap()
            .keys()
            .filter(|status| status.starts_with('4'))
            .collect();
        described.sort();
        assert_eq!(described, refusals, "{method} {path}");
        for status in refusals {
            let schema = &operation["responses"][status]["content"]["application/problem+json"]["schema"];
            assert_eq!(
                schema["$ref"], "#/components/schemas/Problem",
                "{method} {path}: {status}"
            );
        }
    }
    assert_eq!(
        document["components"]["securitySchemes"]["bearer"]["scheme"],
        "bearer"
    );
    for path in [
        "/health/live",
        "/health/ready",
        "/metrics",
        "/openapi.json",
        "/docs",
    ] {
        assert!(of(path, "get")["summary"].is_string(), "{path}");
    }
    // A refusal matches the schema.
    let schema = &document["components"]["schemas"]["Problem"];
    let refusal = things
        .anonymous()
        .post("/things", json!({}))
        .await
        .assert_invalid("text")
        .json();
    for required in schema["required"].as_array().unwrap() {
        assert!(!refusal[required.as_str().unwrap()].is_null(), "{required}");
    }
    for member in refusal
        .as_object()
        .map(serde_json::Map::keys)
        .into_iter()
        .flatten()
    {
        assert_ne!(
            schema["properties"][member],
            Value::Null,
            "{member} is not described"
        );
    }
}
