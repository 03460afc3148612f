//! A response, and what a test requires of it.

use actix_web::http::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// A response that was read to its end or, if it is a stream of events, to the end of its first part.
#[derive(Clone, Debug)]
pub struct TestResponse {
    /// Method and path of the request, for the message of a failing test.
    pub(crate) request: String,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

impl TestResponse {
    pub(crate) async fn read(request: String, mut response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let is_stream = headers
            .get("content-type")
            .is_some_and(|value| value == "text/event-stream");
        let body = if is_stream {
            let chunk = response.chunk().await.expect("an event").unwrap_or_default();
            String::from_utf8_lossy(&chunk).into_owned()
        } else {
            response.text().await.expect("a complete body")
        };
        Self {
            request,
            status,
            headers,
            body,
        }
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("{}: not JSON: {}", self.request, self.body))
    }

    /// A header's value, or an empty string without that header.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("a header of visible ASCII"))
    }

    /// Requires a status.
    #[track_caller]
    pub fn assert_status(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}: {}", self.request, self.body);
        self
    }

    /// Requires a status, and a body that has at least these members with these values.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "tests write json!({…}) here")]
    pub fn assert(&self, status: u16, members: Value) -> &Self {
        self.assert_status(status);
        let body = self.json();
        assert!(
            contains(&body, &members),
            "{}: {body} does not contain {members}",
            self.request
        );
        self
    }

    /// Requires problem details (RFC 9457) with this status and code, and with the request id of the header.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, code: &str) -> &Self {
        self.assert_status(status);
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.request
        );
        let body = self.json();
        assert_eq!(body["code"], code, "{}: {body}", self.request);
        assert_eq!(body["type"], "about:blank", "{}", self.request);
        assert_eq!(body["status"], status, "{}", self.request);
        let title = StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason());
        assert_eq!(body["title"].as_str(), title, "{}", self.request);
        assert_eq!(
            body["request_id"],
            self.header("x-request-id"),
            "{}",
            self.request
        );
        self
    }

    /// Requires an OAuth error (RFC 6749 §5.2) with this status and code.
    #[track_caller]
    pub fn assert_oauth_error(&self, status: u16, code: &str) -> &Self {
        self.assert_status(status);
        assert_eq!(
            self.header("content-type"),
            "application/json",
            "{}",
            self.request
        );
        assert_eq!(
            (self.header("cache-control"), self.header("pragma")),
            ("no-store", "no-cache")
        );
        let body = self.json();
        assert_eq!(body["error"], code, "{}: {body}", self.request);
        let description = body["error_description"].as_str().unwrap_or_default();
        let is_allowed = |char| matches!(char, ' '..='~') && !matches!(char, '"' | '\\');
        assert!(
            !description.is_empty() && description.chars().all(is_allowed),
            "{}: {body}",
            self.request
        );
        let challenge = self.header("www-authenticate");
        assert_eq!(
            challenge.starts_with("Basic realm="),
            status == 401,
            "{}: {challenge}",
            self.request
        );
        self
    }

    /// Requires a 422 whose `errors` name this field.
    #[track_caller]
    pub fn assert_invalid(&self, field: &str) -> &Self {
        self.assert_problem(422, "invalid_body");
        let body = self.json();
        let fields: Vec<_> = body["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|error| &error["field"])
            .collect();
        assert!(
            fields.iter().any(|named| *named == field),
            "{}: {body} does not name {field}",
            self.request
        );
        self
    }
}

fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Object(value), Value::Object(part)) => part
            .iter()
            .all(|(name, part)| value.get(name).is_some_and(|value| contains(value, part))),
        _ => value == part,
    }
}
