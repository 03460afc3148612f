//! The gateway's own health checks, for the joined document.

use serde_json::{Value, json};

use super::answers::content;
use crate::NAME;

/// The paths of the health checks.
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
    })
}
