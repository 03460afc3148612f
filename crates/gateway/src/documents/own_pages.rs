//! The gateway's own pages, for the joined document.

use serde_json::{Value, json};

use super::answers::content;
use crate::NAME;

/// The tag of the pages, and its description.
pub(super) fn tag() -> Value {
    json!({"name": NAME, "description": "The health and the documentation of the platform."})
}

/// The health checks, the document, and the page with it.
pub(super) fn paths() -> Value {
    json!({
        "/health/live": operation(
            "health_live",
            "Whether the gateway runs",
            &json!({"200": status("live", "The gateway runs")}),
        ),
        "/health/ready": operation(
            "health_ready",
            "Whether the gateway can forward requests",
            &json!({
                "200": status("ready", "The gateway can forward requests"),
                "503": not_ready("`not_ready`: `detail` names what is missing"),
            }),
        ),
        "/openapi.json": operation(
            "openapi",
            "This document",
            &json!({"200": document(), "503": not_ready("`not_ready`: no service has answered yet")}),
        ),
        "/docs": operation("docs", "A page to try the calls", &json!({"308": redirect()})),
    })
}

fn operation(id: &str, summary: &str, responses: &Value) -> Value {
    json!({"get": {
        "tags": [NAME],
        "operationId": id,
        "summary": summary,
        "security": [],
        "responses": responses,
    }})
}

fn status(status: &str, description: &str) -> Value {
    let schema = json!({
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"type": "string", "enum": [status], "description": "The status"}},
    });
    json!({
        "description": description,
        "headers": headers(&[("x-request-id", "RequestId")]),
        "content": {"application/json": {"schema": schema, "example": {"status": status}}},
    })
}

fn document() -> Value {
    json!({
        "description": "The document",
        "headers": headers(&[("x-request-id", "RequestId")]),
        "content": {"application/json": {"schema": {"type": "object"}, "example": {"openapi": "3.1.0"}}},
    })
}

fn not_ready(description: &str) -> Value {
    json!({
        "description": description,
        "headers": headers(&[("x-request-id", "RequestId"), ("retry-after", "RetryAfter")]),
        "content": content(),
    })
}

fn redirect() -> Value {
    json!({
        "description": "The page is at `/docs/`",
        "headers": headers(&[("x-request-id", "RequestId"), ("location", "Location")]),
    })
}

/// References to components, by the names of headers.
fn headers(names: &[(&str, &str)]) -> Value {
    let reference = |component| json!({"$ref": format!("#/components/headers/{component}")});
    names
        .iter()
        .map(|&(name, component)| (name.to_owned(), reference(component)))
        .collect()
}
