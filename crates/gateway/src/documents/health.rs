//! The gateway's own pages, for the joined document.

use serde_json::{Value, json};

use super::answers::content;
use crate::NAME;

/// The health checks, this document, and the page with it.
pub(super) fn paths() -> Value {
    let ok = |description: &str| {
        json!({"description": description, "content": {"application/json": {"schema": {
            "type": "object",
            "required": ["status"],
            "properties": {"status": {"type": "string"}},
        }}}})
    };
    let operation = |id: &str, summary: &str, responses: Value| {
        json!({"get": {
            "tags": [NAME],
            "operationId": id,
            "summary": summary,
            "security": [],
            "responses": responses,
        }})
    };
    let not_ready = json!({
        "description": "The gateway can't forward requests yet, with what is missing.",
        "headers": {"retry-after": {"$ref": "#/components/headers/RetryAfter"}},
        "content": content(),
    });
    let document = json!({
        "description": "The document",
        "content": {"application/json": {"schema": {"type": "object"}}},
    });
    let no_document = json!({
        "description": "`not_ready`: no service has answered yet",
        "headers": {"retry-after": {"$ref": "#/components/headers/RetryAfter"}},
        "content": content(),
    });
    let page = json!({
        "description": "The page is at `/docs/`",
        "headers": {"location": {"$ref": "#/components/headers/Location"}},
    });
    json!({
        "/health/live": operation(
            "health_live",
            "Whether the gateway runs",
            json!({"200": ok("The gateway runs.")}),
        ),
        "/health/ready": operation(
            "health_ready",
            "Whether the gateway can forward requests",
            json!({"200": ok("The gateway can forward requests."), "503": not_ready}),
        ),
        "/openapi.json": operation("openapi", "This document", json!({"200": document, "503": no_document})),
        "/docs": operation("docs", "A page to try the calls", json!({"308": page})),
    })
}
