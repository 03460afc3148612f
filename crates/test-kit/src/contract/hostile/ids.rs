//! Malformed ids in a path.

use serde_json::{Value, json};

use crate::contract::target::{Target, UNKNOWN_ID};
use crate::response::TestResponse;

/// A malformed id has to be answered as an unknown one is.
pub(super) async fn check(target: &Target<'_>) {
    let unknown = send(target, UNKNOWN_ID).await;
    for id in [
        "1",
        "x",
        "01890A5D-AC96-774B-BCCE-B302099A8057",
        "%00",
        "%27%20or%201=1",
        "🙂",
        "00000000-0000-0000-0000-000000000000",
        "..%5c",
        "a%20b",
    ] {
        let response = send(target, id).await;
        assert_eq!(
            (response.status, without_request_id(&response)),
            (unknown.status, without_request_id(&unknown)),
            "{id}"
        );
    }
}

async fn send(target: &Target<'_>, id: &str) -> TestResponse {
    let path = target.route.path.replace("{id}", id);
    let has_body = target.has_body();
    let build = |request: reqwest::RequestBuilder| {
        if has_body {
            request.json(&json!({}))
        } else {
            request
        }
    };
    target.send_to(&target.permitted_client(), &path, build).await
}

fn without_request_id(response: &TestResponse) -> Value {
    // A 204 has no body.
    if response.body.is_empty() {
        return Value::Null;
    }
    let mut body = response.json();
    body["request_id"] = Value::Null;
    body
}
