//! A service's OpenAPI document. Handlers describe their own parameters, bodies and answers; everything that follows from
//! a route's policy, method, path or body is added here, so that it is the same for every route of every service.
#![expect(
    clippy::indexing_slicing,
    reason = "indexing a `serde_json::Value` adds a missing member and never panics on an object"
)]

mod headers;
mod responses;
mod schemas;

use actix_web::http::Method;
use auth::{ListedRoute, Policy, Routes};
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

pub(crate) type Object = Map<String, Value>;

const PROBLEM_JSON: &str = "application/problem+json";

/// Completes the document that a service's handlers describe: servers, security, standard answers and their headers, the
/// schemas of errors, and the routes that every service has.
#[must_use]
pub fn document(service: &str, handlers: &OpenApi, routes: &Routes) -> Value {
    let mut document = serde_json::to_value(handlers).unwrap_or_default();
    set_info(&mut document, service);
    // Relative to the document, so that it is right behind every host name and port.
    document["servers"] = json!([{"url": "/"}]);
    add_components(&mut document["components"], routes);
    add_common_routes(&mut document["paths"]);

    let common = common_routes();
    for route in routes.iter().chain(&common) {
        // By `get_mut`: indexing would add an empty operation for a route that no handler describes.
        let method = route.method.as_str().to_lowercase();
        let path = document["paths"].get_mut(route.path);
        let operation = path.and_then(|path| path.get_mut(method));
        if let Some(operation) = operation.and_then(Value::as_object_mut) {
            complete(operation, route);
        }
    }

    schemas::refuse_null_in_requests(&mut document);
    schemas::extend_problem(&mut document);
    headers::remove_unused(&mut document);
    document
}

/// The policy in words, for the document and for the lists of routes that tests compare.
#[must_use]
pub fn describe(policy: Policy) -> String {
    match policy {
        Policy::Anyone => "anyone".to_owned(),
        Policy::Optional => "anyone; a user token is optional".to_owned(),
        Policy::User => "any user".to_owned(),
        Policy::AnyRole(roles) => format!("role {}", roles.join(" or ")),
        Policy::Scope(scope) => format!("scope {scope}"),
        Policy::AnyService => "any service".to_owned(),
        Policy::Service(name) => format!("service {name}"),
        Policy::Custom(scheme) => format!("security scheme {scheme}"),
    }
}

/// The response headers that more than one route has, as components.
#[must_use]
pub fn headers() -> Value {
    headers::components()
}

fn set_info(document: &mut Value, service: &str) {
    let info = &mut document["info"];
    info["title"] = json!(service);
    info["version"] = json!(env!("CARGO_PKG_VERSION"));
    let license = env!("CARGO_PKG_LICENSE");
    info["license"] = json!({"name": license, "identifier": license});
    // utoipa takes the contact from this crate's manifest.
    if let Some(info) = info.as_object_mut() {
        info.remove("contact");
    }
}

fn add_components(components: &mut Value, routes: &Routes) {
    components["securitySchemes"]["bearer"] =
        json!({"type": "http", "scheme": "bearer", "bearerFormat": "JWT"});
    components["schemas"]["Problem"] = schemas::problem();
    components["schemas"]["FieldError"] = schemas::field_error();
    components["headers"] = headers::components();
    for route in routes.iter() {
        if let Policy::Custom(scheme) = route.policy {
            // The one scheme there is so far: an OAuth client's name and secret (RFC 6749 §2.3.1).
            components["securitySchemes"][scheme] = json!({"type": "http", "scheme": "basic"});
            components["schemas"]["OAuthError"] = schemas::oauth_error();
        }
    }
    schemas::name_page_items(&mut components["schemas"]);
}

/// Path, operation id, summary and the successful answer of each route that every service has.
fn add_common_routes(paths: &mut Value) {
    let status = |status: &str| {
        json!({"application/json": {"schema": {
            "type": "object",
            "required": ["status"],
            "properties": {"status": {"type": "string", "enum": [status]}},
        }}})
    };
    let text = json!({"text/plain": {"schema": {"type": "string"}}});
    let document = json!({"application/json": {"schema": {"type": "object"}}});
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
        ("/openapi.json", "openapi", "This document", document),
    ];
    for (path, id, summary, content) in common {
        paths[path]["get"] = json!({
            "tags": ["service"],
            "operationId": id,
            "summary": summary,
            "responses": {"200": {"content": content}},
        });
    }
    paths["/health/ready"]["get"]["responses"]["503"]["description"] =
        json!("`not_ready`: `detail` names what is missing");
    paths["/docs"]["get"] = json!({
        "tags": ["service"],
        "operationId": "docs",
        "summary": "A page to try the calls",
        "responses": {"308": {"description": "The page is at `/docs/`", "headers": {"location": {}}}},
    });
}

fn common_routes() -> [ListedRoute; 5] {
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

fn complete(operation: &mut Object, route: &ListedRoute) {
    operation.insert("security".to_owned(), security(route.policy));
    operation.insert("x-policy".to_owned(), json!(describe(route.policy)));
    shorten_summary(operation, route);
    complete_parameters(operation);
    responses::complete(operation, route.policy);
}

fn security(policy: Policy) -> Value {
    match policy {
        Policy::Anyone => json!([]),
        Policy::Optional => json!([{}, {"bearer": []}]),
        Policy::User | Policy::AnyRole(_) | Policy::AnyService | Policy::Service(_) => {
            json!([{"bearer": []}])
        }
        Policy::Scope(scope) => json!([{"bearer": [scope]}]),
        Policy::Custom(scheme) => json!([{scheme: []}]),
    }
}

/// A handler's comment begins with its method and path, which the document says already.
fn shorten_summary(operation: &mut Object, route: &ListedRoute) {
    let Some(summary) = operation.get("summary").and_then(Value::as_str) else {
        return;
    };
    let prefix = format!("`{} {}`: ", route.method, route.path);
    let summary = summary.strip_prefix(&prefix).unwrap_or(summary);
    let mut chars = summary.trim_end_matches('.').chars();
    let capitalised: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(chars)
        .collect();
    operation.insert("summary".to_owned(), json!(capitalised));
}

fn complete_parameters(operation: &mut Object) {
    let is_conditional = operation
        .get("responses")
        .is_some_and(|responses| responses["304"].is_object());
    let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
    let Some(parameters) = parameters.as_array_mut() else {
        return;
    };

    let is_named = |parameter: &Value, name: &str| {
        parameter["name"]
            .as_str()
            .is_some_and(|known| known.eq_ignore_ascii_case(name))
    };
    if is_conditional
        && !parameters
            .iter()
            .any(|parameter| is_named(parameter, "if-none-match"))
    {
        parameters.push(json!({
            "in": "header",
            "name": "if-none-match",
            "description": "Answer 304 if the representation still has one of these entity tags",
            "schema": {"type": "string"},
        }));
    }
    for parameter in parameters.iter_mut() {
        if parameter["in"] == "path" && parameter["name"] == "id" {
            parameter["schema"] = json!({"type": "string", "format": "uuid"});
        }
        // A query or a header has no null.
        schemas::remove_null(&mut parameter["schema"]);
    }
    if parameters.is_empty() {
        operation.remove("parameters");
    }
}
