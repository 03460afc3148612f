//! The response headers that more than one route has, as components.

use serde_json::{Value, json};

/// Name in a response, name of the component, description, schema, and whether the answers that name it always have it.
type Header = (&'static str, &'static str, &'static str, fn() -> Value, bool);

const HEADERS: [Header; 6] = [
    (
        "x-request-id",
        "RequestId",
        "The id by which the logs of all services name this request",
        || json!({"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._-]+$"}),
        true,
    ),
    (
        "www-authenticate",
        "WwwAuthenticate",
        "How to authenticate, and what was wrong with the credential (RFC 9110 §11.6.1, RFC 6750 §3)",
        || json!({"type": "string", "maxLength": 1000}),
        true,
    ),
    (
        "retry-after",
        "RetryAfter",
        "Seconds after which to try again (RFC 9110 §10.2.3)",
        || json!({"type": "integer", "minimum": 0, "maximum": 2_147_483_647}),
        true,
    ),
    (
        "etag",
        "ETag",
        "The version of the representation (RFC 9110 §8.8.3)",
        || json!({"type": "string", "maxLength": 200, "pattern": "^(W/)?\"[^\"]*\"$"}),
        true,
    ),
    (
        "location",
        "Location",
        "The path of the resource (RFC 9110 §10.2.2)",
        || json!({"type": "string", "format": "uri-reference"}),
        true,
    ),
    (
        "idempotent-replayed",
        "IdempotentReplayed",
        "Present if an earlier request with this idempotency key was answered",
        || json!({"type": "string", "enum": ["true"]}),
        false,
    ),
];

/// All headers, by the names of their components.
pub(super) fn components() -> Value {
    let component = |&(_, component, description, schema, required): &Header| {
        let header = json!({"description": description, "required": required, "schema": schema()});
        (component.to_owned(), header)
    };
    Value::Object(HEADERS.iter().map(component).collect())
}

/// The component that describes this header.
pub(super) fn reference(name: &str) -> Option<Value> {
    let (_, component, ..) = HEADERS.iter().find(|(known, ..)| *known == name)?;
    Some(json!({"$ref": format!("#/components/headers/{component}")}))
}

/// Removes the components that no response of this service refers to.
pub(super) fn remove_unused(document: &mut Value) {
    let responses = document["paths"].to_string();
    if let Some(components) = document["components"]["headers"].as_object_mut() {
        components.retain(|component, _| responses.contains(&format!("/headers/{component}\"")));
    }
}
