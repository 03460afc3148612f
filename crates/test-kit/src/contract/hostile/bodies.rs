//! Bodies that can't be read, are too long, or are of another media type.

use super::FORM;
use crate::contract::target::Target;
use crate::response::TestResponse;

const JSON: &str = "application/json";

/// One byte more than a service reads.
const TOO_LONG: usize = 64 * 1024 + 1;

pub(super) async fn check_json(target: &Target<'_>) {
    // Routes for anyone are called as an admin too: a credential must not change how a body is read.
    let client = match target.route.policy {
        auth::Policy::Anyone | auth::Policy::Optional => target.service.admin(),
        _ => target.permitted_client(),
    };
    let send = async |content_type: &str, body: Vec<u8>| -> TestResponse {
        let build =
            |request: reqwest::RequestBuilder| request.header("content-type", content_type).body(body);
        target.send(&client, build).await
    };

    let deep = "[".repeat(20_000);
    for malformed in [
        "{",
        "nope",
        "{\"a\":1,}",
        "{\"a\":1,\"a\":2}",
        "{} {}",
        "\u{feff}{}",
        "\0",
        &deep,
    ] {
        let response = send(JSON, malformed.into()).await;
        response.assert_problem(400, "malformed_json");
    }
    let response = send(JSON, b"{\"a\":\"\xff\xfe\"}".to_vec()).await;
    response.assert_problem(400, "malformed_json");

    for invalid in ["[]", "null", "1", "\"text\"", r#"{"no_such_field_anywhere":1}"#] {
        let response = send(JSON, invalid.into()).await;
        response.assert_problem(422, "invalid_body");
    }
    for content_type in [
        "text/plain",
        FORM,
        "application/jsonp",
        "application/json; charset=utf-16",
    ] {
        let response = send(content_type, b"{}".to_vec()).await;
        response.assert_problem(415, "unsupported_media_type");
    }
    let response = send(JSON, b"a".repeat(TOO_LONG)).await;
    response.assert_problem(413, "payload_too_large");

    let compressed = client.with("content-encoding", "gzip");
    let build = |request: reqwest::RequestBuilder| request.header("content-type", JSON).body("{}");
    let response = target.send(&compressed, build).await;
    response.assert_problem(415, "unsupported_media_type");
}

/// The endpoints of OAuth, which answer as RFC 6749 §5.2 says.
pub(super) async fn check_form(target: &Target<'_>) {
    let client = target.permitted_client();
    let send = async |content_type: &str, body: Vec<u8>| -> TestResponse {
        let build =
            |request: reqwest::RequestBuilder| request.header("content-type", content_type).body(body);
        target.send(&client, build).await
    };

    for malformed in [
        "",
        "&",
        "=",
        "a",
        "a=1&a=2",
        "token=a&%74oken=b",
        "token=%ff",
        "\0",
        "{}",
        "%",
        "a=%zz",
    ] {
        let response = send(FORM, malformed.into()).await;
        response.assert_oauth_error(400, "invalid_request");
    }
    for malformed in [b"token=\xff".to_vec(), b"a&".repeat(5_000)] {
        let response = send(FORM, malformed).await;
        response.assert_oauth_error(400, "invalid_request");
    }
    for content_type in [
        "text/plain",
        JSON,
        "multipart/form-data; boundary=a",
        &format!("{FORM}; charset=utf-16"),
    ] {
        let response = send(content_type, b"a=1".to_vec()).await;
        response.assert_oauth_error(415, "invalid_request");
    }
    let response = send(FORM, b"a".repeat(TOO_LONG)).await;
    response.assert_oauth_error(413, "invalid_request");

    let compressed = client.with("content-encoding", "gzip");
    let build = |request: reqwest::RequestBuilder| request.header("content-type", FORM).body("a=1");
    let response = target.send(&compressed, build).await;
    response.assert_oauth_error(415, "invalid_request");
}
