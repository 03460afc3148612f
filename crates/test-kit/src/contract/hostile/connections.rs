//! Request ids, paths and framing.

use crate::client::Client;
use crate::service::TestService;

/// A caller's request id is kept only if it is safe in logs and headers.
pub(super) async fn check_request_ids(client: &Client) {
    for kept in ["a", "A-Z_0.9", &"b".repeat(128)] {
        let response = client.with("x-request-id", kept).get("/no/such/path").await;
        response.assert_problem(404, "not_found");
        assert_eq!(response.header("x-request-id"), kept);
    }
    for replaced in ["", "a b", "a\tb", "a,b", "<script>", "ä", &"a".repeat(129)] {
        let response = client.with("x-request-id", replaced).get("/no/such/path").await;
        response.assert_problem(404, "not_found");
        let id = response.header("x-request-id");
        assert!(id != replaced && id.len() == 36, "{replaced} became {id}");
    }
}

pub(super) async fn check_paths(service: &TestService) {
    for path in [
        "/%",
        "/%zz",
        "/../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "//",
        "/%00",
        "/a%0d%0ax: y",
        "*",
    ] {
        let response = send_line(service, &format!("GET {path}")).await;
        assert!(response.starts_with("HTTP/1.1 4"), "{path}: {response}");
    }
    let response = send_line(service, "BREW /health/live").await;
    assert!(
        response.starts_with("HTTP/1.1 405") && response.contains("allow: GET, HEAD"),
        "{response}"
    );
}

async fn send_line(service: &TestService, line: &str) -> String {
    let request = format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    service.raw(request.as_bytes()).await
}

/// Requests whose end can't be known, which two readers could split differently (RFC 9112 §11.2).
pub(super) async fn check_framing(service: &TestService) {
    for request in [
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
    ] {
        let response = service.raw(request.as_bytes()).await;
        assert!(
            response.is_empty() || response.starts_with("HTTP/1.1 4"),
            "{request:?}: {response}"
        );
    }
}
