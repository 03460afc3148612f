//! Problem details (RFC 9457), the body of every error response. Public, so that an application can use the same format for its
//! own errors.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName};
use serde::Serialize;
use serde_json::{Map, Value};

/// A problem details object (RFC 9457 §3) with this platform's members `code`, `request_id` and `errors`.
///
/// ```
/// use actix_web::http::StatusCode;
/// use auth::ProblemDetails;
///
/// let response = ProblemDetails::new(StatusCode::CONFLICT, "email_taken").detail("This address is taken.").respond();
/// assert_eq!(response.status(), 409);
/// assert_eq!(response.headers().get("content-type").unwrap(), "application/problem+json");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProblemDetails {
    /// Always `about:blank` (RFC 9457 §4.2.1): `code` identifies the problem.
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

/// An invalid field of a request body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field's path in the body: `name`, `items[0].quantity`. Empty if the whole body is invalid.
    pub field: String,
    /// A description of valid values, for the developer of the client.
    pub message: String,
}

impl ProblemDetails {
    /// A problem with this status and error code. The code is stable and `snake_case`: clients match on it.
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

    /// Adds a sentence for the developer of the client. The sentence must not reveal internals.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds the request id, which also appears in the logs.
    #[must_use]
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// Adds the invalid fields of the request body.
    #[must_use]
    pub fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// Adds extension members (RFC 9457 §3.2) that a client needs to handle this problem.
    #[must_use]
    pub fn members(mut self, members: Map<String, Value>) -> Self {
        self.members = members;
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The response, as `application/problem+json`. The response's extensions hold this object, so that middleware can add the
    /// request id and write the body again.
    #[must_use]
    pub fn respond(self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status())
            .insert_header(problem_json())
            .body(self.body());
        response.extensions_mut().insert(self);
        response
    }

    /// The object as JSON text.
    #[must_use]
    pub fn body(&self) -> String {
        // Can't fail: every member is a string, a number or JSON already.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The header `Content-Type: application/problem+json`.
#[must_use]
pub fn problem_json() -> (HeaderName, &'static str) {
    (CONTENT_TYPE, "application/problem+json")
}
