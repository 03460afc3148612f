//! Problem details for the refusals of actix-http's parser, which have no body.

use actix_web::http::StatusCode;
use auth::{ProblemDetails, problem_json};
use memchr::memmem;
use uuid::Uuid;

/// Where in `bytes` a refusal of the parser starts, if they end with one.
pub(super) fn find(bytes: &[u8]) -> Option<usize> {
    if !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let start = memmem::rfind(bytes, b"HTTP/1.")?;
    let head = bytes.get(start..)?;
    // Every response that came through the middleware has a request id.
    let is_the_parsers = memmem::find(head, b"\r\nx-request-id: ").is_none();
    let is_refusal = status_of(head).is_some_and(|status| status.is_client_error());
    (is_refusal && is_the_parsers && memmem::find(head, b"\r\ncontent-length: 0\r\n").is_some())
        .then_some(start)
}

/// The refusal with a body, and with the headers that every response has. Counts and logs it, since no middleware sees it.
pub(super) fn with_body(head: &[u8]) -> Vec<u8> {
    let status = status_of(head).unwrap_or(StatusCode::BAD_REQUEST);
    let (code, detail) = match status {
        StatusCode::REQUEST_TIMEOUT => ("request_timeout", "The request did not arrive in time."),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => ("headers_too_large", "The headers are too long."),
        _ => (
            "bad_request",
            "This is not a valid HTTP/1.1 request. Check the request line, that there is exactly one Host header, and the \
             length of the body.",
        ),
    };
    let id = Uuid::new_v4().to_string();
    metrics::counter!("http_parser_refusals_total", "status" => status.as_str().to_owned()).increment(1);
    tracing::debug!(
        request_id = id,
        http.status_code = status.as_u16(),
        "the HTTP parser refused a request"
    );
    let body = ProblemDetails::new(status, code)
        .detail(detail)
        .request_id(id.as_str())
        .body();

    let text = String::from_utf8_lossy(head);
    let (name, media_type) = problem_json();
    let headers = format!(
        "\r\ncontent-length: {}\r\n{name}: {media_type}\r\nx-request-id: {id}\r\nx-content-type-options: nosniff\r\n",
        body.len()
    );
    let mut response = text.replacen("\r\ncontent-length: 0\r\n", &headers, 1);
    response.push_str(&body);
    response.into_bytes()
}

fn status_of(head: &[u8]) -> Option<StatusCode> {
    StatusCode::from_bytes(head.get(b"HTTP/1.1 ".len()..)?.get(..3)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_of_the_parser_is_found() {
        let refusal = "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(find(refusal.as_bytes()), Some(0));
        let pipelined =
            format!("HTTP/1.1 200 OK\r\nx-request-id: a\r\ncontent-length: 2\r\n\r\n{{}}{refusal}");
        assert_eq!(find(pipelined.as_bytes()), pipelined.find(refusal));
        for other in [
            "",
            "\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 204 No Content\r\nx-request-id: a\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nx-request-id: a\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 4",
        ] {
            assert_eq!(find(other.as_bytes()), None, "{other:?}");
        }
    }

    #[test]
    fn each_refusal_gets_its_code() {
        for (status, code) in [
            ("400 Bad Request", "bad_request"),
            ("408 Request Timeout", "request_timeout"),
            ("431 Request Header Fields Too Large", "headers_too_large"),
        ] {
            let refusal = with_body(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes());
            let text = String::from_utf8(refusal).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{head}");
            assert!(
                head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())),
                "{head}"
            );
            assert!(body.contains(&format!("\"code\":\"{code}\"")), "{body}");
        }
    }
}
