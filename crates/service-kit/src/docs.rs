//! A service's OpenAPI document. Handlers describe their own parameters, bodies and answers; everything that follows from
//! a route's policy, method, path or body is added here, so that it is the same for every route of every service.
//!
//! `test_kit::contract` requires what readers and generators of clients need: descriptions, bounds and examples.
#![expect(
    clippy::indexing_slicing,
    reason = "indexing a `serde_json::Value` adds a missing member and never panics on an object"
)]

mod common_routes;
mod examples;
mod headers;
mod pages;
mod responses;
mod schemas;
mod security;
mod text;

use auth::{ListedRoute, Policy, Routes};
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

pub use self::security::describe;

pub(crate) type Object = Map<String, Value>;

/// The documented limit of a header. The parser refuses longer ones at the latest when all headers together are too long.
const MAX_HEADER_LENGTH: u32 = 8192;
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
    pages::complete(&mut document);
    common_routes::add(&mut document);

    let common = common_routes::list();
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
    examples::complete(&mut document);
    headers::remove_unused(&mut document);
    document
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
    components["securitySchemes"] = security::schemes(routes);
    components["schemas"]["Problem"] = schemas::problem();
    components["schemas"]["FieldError"] = schemas::field_error();
    components["headers"] = headers::components();
    if routes
        .iter()
        .any(|route| matches!(route.policy, Policy::Custom(_)))
    {
        components["schemas"]["OAuthError"] = schemas::oauth_error();
    }
}

fn complete(operation: &mut Object, route: &ListedRoute) {
    operation.insert("security".to_owned(), security::requirements(route.policy));
    operation.insert("x-policy".to_owned(), json!(security::describe(route.policy)));
    text::complete(operation, route);
    complete_parameters(operation, route.path);
    responses::complete(operation, route);
}

fn complete_parameters(operation: &mut Object, path: &str) {
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
            if parameter["description"].is_null() {
                parameter["description"] = json!(text::describe_id(path));
            }
        }
        if parameter["in"] == "header" && parameter["schema"]["maxLength"].is_null() {
            parameter["schema"]["maxLength"] = json!(MAX_HEADER_LENGTH);
        }
        // A query or a header has no null.
        schemas::remove_null(&mut parameter["schema"]);
    }
    if parameters.is_empty() {
        operation.remove("parameters");
    }
}
