//! The one shape of every refusal (RFC 9457), public so that an application's own errors can have it too.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

/// A problem details object (RFC 9457 §3), with the members that this platform adds: `code`, `request_id` and `errors`.
///
/// ```
/// use actix_web::http::StatusCode;
/// use auth::ProblemDetails;
///
/// let answer = ProblemDetails::new(StatusCode::CONFLICT, "email_taken").detail("This address is taken.").respond();
/// assert_eq!(answer.status(), 409);
/// assert_eq!(answer.headers().get("content-type").unwrap(), "application/problem+json");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProblemDetails {
    /// Always `about:blank`: `code` says more than a URI that leads nowhere.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(flatten)]
    members: Map<String, Value>,
}

/// What is wrong with one field of a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field's path in the body: `name`, `items[0].quantity`. Empty where the whole body is meant.
    pub field: String,
    /// What would be right, in words for the person who wrote the request.
    pub message: String,
}

impl ProblemDetails {
    /// A problem of this status and with this code: stable, `snake_case`, what programs match on.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: None,
            code,
            request_id: None,
            errors: Vec::new(),
            members: Map::new(),
        }
    }

    /// Adds a sentence for the person who reads the answer. Never internals.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds the request's id, by which the logs are found.
    #[must_use]
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// Adds what is wrong with which field.
    #[must_use]
    pub fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// Adds members of the problem's own (RFC 9457 §3.2): what a program needs to go on from there.
    #[must_use]
    pub fn members(mut self, members: Map<String, Value>) -> Self {
        self.members = members;
        self
    }

    /// The problem's status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The answer: `application/problem+json`. The object itself travels along in the response's extensions, where a
    /// middleware that knows the request's id can find it and write the body anew.
    #[must_use]
    pub fn respond(self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status())
            .insert_header(problem_json())
            .body(self.body());
        response.extensions_mut().insert(self);
        response
    }

    /// The object as JSON.
    #[must_use]
    pub fn body(&self) -> String {
        // Strings, numbers and JSON itself: there is nothing in it that JSON could not say.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// `Content-Type: application/problem+json`.
#[must_use]
pub fn problem_json() -> (actix_web::http::header::HeaderName, &'static str) {
    (actix_web::http::header::CONTENT_TYPE, "application/problem+json")
}
