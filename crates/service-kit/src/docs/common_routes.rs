//! The routes that every service has: health, metrics and this document.

use actix_web::http::Method;
use auth::{ListedRoute, Policy};
use serde_json::{Value, json};

/// The tag of these routes.
const TAG: &str = "service";

const METRICS: &str = "# TYPE http_requests_total counter\n\
    http_requests_total{method=\"GET\",route=\"/health/ready\",status=\"200\"} 1\n";

/// The routes.
pub(super) fn list() -> [ListedRoute; 5] {
    [
        "/health/live",
        "/health/ready",
        "/metrics",
        "/openapi.json",
        "/docs",
    ]
    .map(|path| ListedRoute {
        method: Method::GET,
        path,
        policy: Policy::Anyone,
    })
}

/// Adds path, operation id, summary and the successful answer of each.
pub(super) fn add(document: &mut Value) {
    let status = |status: &str| {
        json!({"application/json": {"schema": {
            "type": "object",
            "required": ["status"],
            "properties": {"status": {"type": "string", "enum": [status], "description": "The status"}},
        }}})
    };
    let text = json!({"text/plain": {"schema": {"type": "string"}, "example": METRICS}});
    let openapi =
        json!({"application/json": {"schema": {"type": "object"}, "example": {"openapi": "3.1.0"}}});
    let common = [
        (
            "/health/live",
            "health_live",
            "Whether the process runs",
            status("live"),
        ),
        (
            "/health/ready",
            "health_ready",
            "Whether the service can answer requests",
            status("ready"),
        ),
        ("/metrics", "metrics", "Metrics for Prometheus", text),
        ("/openapi.json", "openapi", "This document", openapi),
    ];
    let paths = &mut document["paths"];
    for (path, id, summary, content) in common {
        paths[path]["get"] = json!({
            "tags": [TAG],
            "operationId": id,
            "summary": summary,
            "responses": {"200": {"content": content}},
        });
    }
    paths["/health/ready"]["get"]["responses"]["503"]["description"] =
        json!("`not_ready`: `detail` names what is missing");
    paths["/docs"]["get"] = json!({
        "tags": [TAG],
        "operationId": "docs",
        "summary": "A page to try the calls",
        "responses": {"308": {"description": "The page is at `/docs/`", "headers": {"location": {}}}},
    });

    let tag =
        json!({"name": TAG, "description": "What every service has: health, metrics and documentation."});
    match document["tags"].as_array_mut() {
        Some(tags) => tags.push(tag),
        None => document["tags"] = json!([tag]),
    }
}
