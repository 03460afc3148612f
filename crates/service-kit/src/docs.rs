//! A service's OpenAPI document. What the route list knows (who may call, what a refusal looks like) is taken from there and
//! said nowhere else.
#![expect(
    clippy::indexing_slicing,
    reason = "an index into an object of serde_json makes what is missing"
)]

use auth::{ListedRoute, Policy, Routes};
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// Completes the document that a service's handlers describe: the security of each operation, the refusals that follow from
/// it, the shape of all errors, and the routes that every service has.
#[must_use]
pub fn document(service: &str, handlers: &OpenApi, routes: &Routes) -> Value {
    let mut document = serde_json::to_value(handlers).unwrap_or_default();
    document["info"]["title"] = json!(service);
    document["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
    // The macro's default takes licence and contact from this crate's manifest.
    if let Some(info) = document["info"].as_object_mut() {
        info.retain(|member, _| ["title", "version", "description"].contains(&member.as_str()));
    }
    document["components"]["securitySchemes"]["bearer"] =
        json!({"type": "http", "scheme": "bearer", "bearerFormat": "JWT"});
    for route in routes.iter() {
        if let Policy::Custom(scheme) = route.policy {
            document["components"]["securitySchemes"][scheme] = json!({"type": "http", "scheme": "basic"});
        }
    }
    document["components"]["schemas"]["Problem"] = problem_schema();
    for (path, summary, media_type) in OF_EVERY_SERVICE {
        document["paths"][path] = json!({"get": {
            "tags": ["service"],
            "summary": summary,
            "responses": {"200": {"description": "", "content": {media_type: {}}}},
        }});
    }
    for route in routes.iter() {
        let method = route.method.as_str().to_lowercase();
        if let Some(operation) = document["paths"][route.path][&method].as_object_mut() {
            complete(operation, route);
        }
    }
    document
}

const OF_EVERY_SERVICE: [(&str, &str, &str); 5] = [
    ("/health/live", "200 while the process runs", "application/json"),
    (
        "/health/ready",
        "200, or 503 with what is missing",
        "application/json",
    ),
    ("/metrics", "Metrics for Prometheus", "text/plain"),
    ("/openapi.json", "This document", "application/json"),
    ("/docs", "A page to try the calls", "text/html"),
];

fn complete(operation: &mut Map<String, Value>, route: &ListedRoute) {
    let (security, who) = match route.policy {
        Policy::Anyone => (json!([]), "anyone".to_owned()),
        Policy::Optional => (
            json!([{}, {"bearer": []}]),
            "anyone; a good token says who".to_owned(),
        ),
        Policy::User => (json!([{"bearer": []}]), "any user".to_owned()),
        Policy::AnyRole(roles) => (json!([{"bearer": []}]), format!("role {}", roles.join(" or "))),
        Policy::Scope(scope) => (json!([{"bearer": [scope]}]), format!("scope {scope}")),
        Policy::AnyService => (json!([{"bearer": []}]), "any service".to_owned()),
        Policy::Service(name) => (json!([{"bearer": []}]), name.to_owned()),
        Policy::Custom(scheme) => (json!([{scheme: []}]), format!("security scheme {scheme}")),
    };
    operation.insert("security".to_owned(), security);
    operation.insert("x-who-may-call".to_owned(), json!(who));
    let mut follow = Vec::new();
    let needs_token = !matches!(
        route.policy,
        Policy::Anyone | Policy::Optional | Policy::Custom(_)
    );
    if needs_token {
        follow.push((
            "401",
            "no token, or one that is not valid, has expired or was taken back",
        ));
    }
    if needs_token && route.policy != Policy::User {
        follow.push(("403", "a known caller who may not do this"));
    }
    // What is asked by form has shapes of its own, and describes them itself.
    if operation.contains_key("requestBody") && !matches!(route.policy, Policy::Custom(_)) {
        follow.push(("400", "the body, or a header, can't be read"));
        follow.push(("413", "the body is too long"));
        follow.push(("415", "the body is not `application/json`"));
    }
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    for (status, description) in follow {
        if responses[status].is_null() {
            responses[status] = json!({"description": description});
        }
    }
    for (status, response) in responses.as_object_mut().into_iter().flatten() {
        // What a handler describes as another shape has that one.
        if status.starts_with(['4', '5']) && response["content"].is_null() {
            response["content"]["application/problem+json"] =
                json!({"schema": {"$ref": "#/components/schemas/Problem"}});
        }
    }
}

/// RFC 9457 §3, with the platform's own members.
fn problem_schema() -> Value {
    let field = json!({
        "type": "object",
        "required": ["field", "message"],
        "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
    });
    json!({
        "type": "object",
        "required": ["type", "title", "status", "code"],
        "properties": {
            "type": {"type": "string", "example": "about:blank"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "string", "description": "Stable; what programs match on."},
            "request_id": {"type": "string"},
            "errors": {"type": "array", "items": field, "description": "What is wrong with which field of a body (422)."},
        },
    })
}
