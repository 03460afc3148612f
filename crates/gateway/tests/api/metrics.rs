//! Metrics and log: what operators see of each request.

use tokio::io::AsyncWriteExt as _;

use crate::backend::Received;
use crate::client::{Client, eventually};
use crate::program::Program;

/// The value of a series, or 0 if there is none.
async fn metric(inner: Client, series: &str) -> u64 {
    let answer = inner.get("/metrics", &[]).await;
    assert_eq!(answer.status, 200);
    let value = answer.body.lines().find_map(|line| line.strip_prefix(series));
    value.map_or(0, |value| value.trim().parse().unwrap())
}

#[actix_web::test]
async fn requests_and_failures_of_services_are_counted_and_logged() {
    let program = Program::start(&[]).await;
    let (client, inner) = (program.client(), program.inner());
    let failures = r#"gateway_upstream_failures_total{service="product-service"}"#;
    for _ in 0..2 {
        client
            .get("/api/products/4711?secret=1", &["x-request-id: first"])
            .await
            .assert_forwarded("anonymous");
    }
    assert_eq!(metric(inner, failures).await, 0);
    client
        .send("POST /api/products/reset HTTP/1.1", &["x-request-id: second"], "")
        .await
        .assert_problem(502, "upstream_unavailable");
    client
        .get("/no-such-path", &[])
        .await
        .assert_problem(404, "not_found");

    for (series, value) in [
        (failures, 1),
        (
            r#"http_requests_total{method="GET",route="/api/products",status="200"}"#,
            2,
        ),
        (
            r#"http_requests_total{method="POST",route="/api/products",status="502"}"#,
            1,
        ),
        (
            r#"http_requests_total{method="GET",route="none",status="404"}"#,
            1,
        ),
        (
            r#"http_request_duration_seconds_count{method="GET",route="/api/products",status="200"}"#,
            2,
        ),
    ] {
        assert_eq!(metric(inner, series).await, value, "{series}");
    }
    let text = inner.get("/metrics", &[]).await.body;
    assert!(!text.contains("4711") && !text.contains("secret"), "{text}");
    // The inner port is for operators only.
    client.get("/metrics", &[]).await.assert_problem(404, "not_found");

    let answered = |id: &str| {
        let mut events = program.events("answered");
        events.retain(|event| event["request_id"] == id);
        events
    };
    eventually(|| answered("first").len() == 2 && answered("second").len() == 1).await;
    for (event, method, status) in [
        (&answered("first")[0], "GET", 200),
        (&answered("second")[0], "POST", 502),
    ] {
        assert_eq!(event["http.method"], method, "{event}");
        assert_eq!(event["http.route"], "/api/products");
        assert_eq!(event["http.status_code"], status);
        assert!(event["duration_ms"].as_f64().unwrap() > 0.0);
        assert!(
            !event.to_string().contains("4711") && !event.to_string().contains("secret"),
            "{event}"
        );
    }
    let failed = program.events("the service did not answer");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["service"], "product-service");
    assert_eq!(failed[0]["level"], "WARN");
}

#[actix_web::test]
async fn a_request_whose_client_leaves_is_counted_and_logged() {
    let program = Program::start(&[]).await;
    let mut stream = program.client().connect().await;
    stream
        .write_all(b"GET /api/products/hang HTTP/1.1\r\nhost: a\r\nx-request-id: left\r\n\r\n")
        .await
        .unwrap();
    let is_hang = |received: &Received| received.target().ends_with("/hang");
    eventually(|| program.backend.received().iter().any(is_hang)).await;
    drop(stream);
    eventually(|| !program.events("answered").is_empty()).await;
    let event = &program.events("answered")[0];
    assert_eq!(event["request_id"], "left");
    assert_eq!(event["http.status_code"], 499);
    let series = r#"http_requests_total{method="GET",route="/api/products",status="499"}"#;
    assert_eq!(metric(program.inner(), series).await, 1);
}

#[actix_web::test]
async fn requests_that_are_not_valid_http_are_counted() {
    let program = Program::start(&[]).await;
    let (client, inner) = (program.client(), program.inner());
    for request in [
        "GET /api/products HTTP/1.1\r\nno colon\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let text = client.raw(request).await;
        assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    }
    assert_eq!(
        metric(inner, r#"http_parser_refusals_total{status="400"}"#).await,
        2
    );
}
