//! What nobody should send, on every route of every service: each has its answer, none of them a 500 or a hung connection.

use actix_web::http::Method;
use auth::{ListedRoute, Policy, Routes};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::client::Client;
use crate::service::TestService;

const FORM: &str = "application/x-www-form-urlencoded";

/// Tokens, bodies, ids, headers and paths.
pub async fn check(service: &TestService, routes: Routes) {
    let routes: Vec<_> = routes.iter().cloned().collect();
    assert!(!routes.is_empty());
    let document = service
        .anonymous()
        .get("/openapi.json")
        .await
        .assert_status(200)
        .json();
    for route in &routes {
        match route.policy {
            Policy::Anyone | Policy::Optional => {}
            Policy::Custom(_) => secrets(service, route).await,
            _ => tokens(service, route).await,
        }
        if [Method::POST, Method::PUT, Method::PATCH].contains(&route.method) {
            let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
            if operation["requestBody"]["content"][FORM].is_object() {
                forms(service, route).await;
            } else {
                bodies(service, route).await;
            }
        }
        if route.path.contains("{id}") {
            ids(service, route).await;
        }
    }
    request_ids(service.anonymous()).await;
    paths(service).await;
}

/// Values of `limit` and `cursor` that no list takes.
pub async fn paging(client: &Client, path: &str) {
    for query in [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=1.5",
        "limit=ten",
        "limit=",
        "limit=99999999999999999999",
        "limit=1&limit=2",
        "cursor=",
        "cursor=1",
        "cursor=%00",
        "cursor=AAAA",
        "cursor='%20or%201=1--",
    ] {
        client
            .get(&format!("{path}?{query}"))
            .await
            .assert_problem(400, "invalid_query");
    }
}

/// Calls a route with an id that no row has.
async fn call(client: &Client, route: &ListedRoute) -> crate::TestResponse {
    let path = route.path.replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057");
    client.send(&route.method, &path, |request| request).await
}

async fn tokens(service: &TestService, route: &ListedRoute) {
    let good = service.person("ada", &["user", "admin"]).token();
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let (header, payload) = signed.split_once('.').expect("three parts");
    let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = encode(json!({"alg": "none", "typ": "at+jwt"}));
    let hs256 = encode(json!({"alg": "HS256", "typ": "at+jwt", "kid": "../../dev/null"}));
    let forged = encode(json!({"sub": "admin", "roles": ["admin"]}));
    let long = "a".repeat(9_000);
    for token in [
        String::new(),
        "x".to_owned(),
        "a.b".to_owned(),
        "..".to_owned(),
        "a.b.c.d".to_owned(),
        "🙂.🙂.🙂".to_owned(),
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{hs256}.{payload}.{signature}"),
        format!("{header}.{forged}.{signature}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.{signature}="),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{good} {good}"),
        format!("{good},{good}"),
        format!("{header}.{long}.{signature}"),
    ] {
        let client = service.anonymous().with_token(&token);
        let answer = call(&client, route).await;
        answer.assert_problem(401, "invalid_token");
        assert!(
            answer
                .header("www-authenticate")
                .contains(r#"error="invalid_token""#),
            "{token}"
        );
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    // Not bearer tokens at all.
    for value in ["Basic YWRhOnNlY3JldA==", "Negotiate", good.as_str()] {
        let answer = call(&service.anonymous().with("authorization", value), route).await;
        answer.assert_problem(401, "no_token");
        assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="countersign""#);
    }
    let twice = service
        .anonymous()
        .with_token(&good)
        .with("authorization", &format!("Bearer {good}"));
    call(&twice, route).await.assert_problem(400, "invalid_request");
    // A token is never looked for in the query.
    let path = format!("{}?access_token={good}", route.path);
    service
        .anonymous()
        .send(&route.method, &path, |request| request)
        .await
        .assert_problem(401, "no_token");
}

/// What is no registered client's secret, and a body that nobody should look at before that is known.
async fn secrets(service: &TestService, route: &ListedRoute) {
    let basic = |pair: &[u8]| format!("Basic {}", STANDARD.encode(pair));
    let body = "a=1&a=2";
    for value in [
        "Basic".to_owned(),
        "Basic ".to_owned(),
        "Basic !".to_owned(),
        "Basic YTpi, Basic YTpi".to_owned(),
        "Negotiate".to_owned(),
        format!("Bearer {}", service.person("ada", &["user", "admin"]).token()),
        format!("Bearer {}", service.issuer().as_service("order-service").token()),
        basic(b""),
        basic(b":"),
        basic(b"order-service"),
        basic(b"order-service:"),
        basic(b"order-service:wrong"),
        basic(b"\xff:\xff"),
        basic(b"%ff:%00"),
        basic(b"'or 1=1--:x"),
        basic("x".repeat(8_000).as_bytes()),
    ] {
        let client = service.anonymous().with("authorization", &value);
        client
            .post_form(route.path, body)
            .await
            .assert_oauth_error(401, "invalid_client");
    }
    let nobody = service.anonymous();
    nobody
        .post_form(route.path, body)
        .await
        .assert_oauth_error(401, "invalid_client");
    nobody
        .post(route.path, json!({}))
        .await
        .assert_oauth_error(401, "invalid_client");
    let twice = service.client().with("authorization", "Basic YTpi");
    twice
        .post_form(route.path, body)
        .await
        .assert_oauth_error(400, "invalid_request");
}

/// Forms are for clients, and their refusals are those of RFC 6749.
async fn forms(service: &TestService, route: &ListedRoute) {
    assert!(
        matches!(route.policy, Policy::Custom(_)),
        "a form is what a client sends"
    );
    let client = service.client();
    let send = async |content_type: &str, body: Vec<u8>| {
        client
            .send(&route.method, route.path, |request| {
                request.header("content-type", content_type).body(body)
            })
            .await
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
        send(FORM, malformed.into())
            .await
            .assert_oauth_error(400, "invalid_request");
    }
    send(FORM, b"token=\xff".to_vec())
        .await
        .assert_oauth_error(400, "invalid_request");
    send(FORM, b"a&".repeat(5_000))
        .await
        .assert_oauth_error(400, "invalid_request");
    for content_type in [
        "text/plain",
        "application/json",
        "multipart/form-data; boundary=a",
        &format!("{FORM}; charset=utf-16"),
    ] {
        send(content_type, b"a=1".to_vec())
            .await
            .assert_oauth_error(415, "invalid_request");
    }
    send(FORM, b"a".repeat(64 * 1024 + 1))
        .await
        .assert_oauth_error(413, "invalid_request");
    let compressed = client
        .with("content-encoding", "gzip")
        .post_form(route.path, "a=1")
        .await;
    compressed.assert_oauth_error(415, "invalid_request");
}

async fn bodies(service: &TestService, route: &ListedRoute) {
    let path = route.path.replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057");
    let client = match route.policy {
        Policy::Service(name) => service.service(name),
        Policy::AnyService => service.service("order-service"),
        _ => service.admin(),
    };
    let send = async |content_type: &str, body: Vec<u8>| {
        client
            .send(&route.method, &path, |request| {
                request.header("content-type", content_type).body(body)
            })
            .await
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
        send("application/json", malformed.into())
            .await
            .assert_problem(400, "malformed_json");
    }
    send("application/json", b"{\"a\":\"\xff\xfe\"}".to_vec())
        .await
        .assert_problem(400, "malformed_json");
    for wrong in ["[]", "null", "1", "\"text\"", r#"{"no_such_field_anywhere":1}"#] {
        send("application/json", wrong.into())
            .await
            .assert_problem(422, "invalid_body");
    }
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/json; charset=utf-16",
    ] {
        send(content_type, b"{}".to_vec())
            .await
            .assert_problem(415, "unsupported_media_type");
    }
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(64 * 1024));
    send("application/json", long.into_bytes())
        .await
        .assert_problem(413, "payload_too_large");
    let compressed = client
        .with("content-encoding", "gzip")
        .send(&route.method, &path, |request| {
            request.header("content-type", "application/json").body("{}")
        })
        .await;
    compressed.assert_problem(415, "unsupported_media_type");
}

/// A malformed id is answered as an unknown one is.
async fn ids(service: &TestService, route: &ListedRoute) {
    let client = match route.policy {
        Policy::Service(name) => service.service(name),
        Policy::AnyService => service.service("order-service"),
        _ => service.admin(),
    };
    let send = async |id: &str| {
        let path = route.path.replace("{id}", id);
        let has_body = route.method == Method::PATCH || route.method == Method::PUT;
        client
            .send(&route.method, &path, |request| {
                if has_body {
                    request.json(&json!({}))
                } else {
                    request
                }
            })
            .await
    };
    let unknown = send("01890a5d-ac96-774b-bcce-b302099a8057").await;
    let without_id = |answer: &crate::TestResponse| {
        // A deletion has no body.
        let mut body = if answer.body.is_empty() {
            json!({})
        } else {
            answer.json()
        };
        body["request_id"] = Value::Null;
        body
    };
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
        let answer = send(id).await;
        assert_eq!(
            (answer.status, without_id(&answer)),
            (unknown.status, without_id(&unknown)),
            "{id}"
        );
    }
}

/// The caller's own request id is kept only where it can do no harm.
async fn request_ids(nobody: &Client) {
    let long = "a".repeat(129);
    for kept in ["a", "A-Z_0.9", &"b".repeat(128)] {
        let answer = nobody.with("x-request-id", kept).get("/no/such/path").await;
        assert_eq!(
            answer.assert_problem(404, "not_found").header("x-request-id"),
            kept
        );
    }
    for replaced in ["", "a b", "a\tb", "a,b", "<script>", "ä", &long] {
        let answer = nobody.with("x-request-id", replaced).get("/no/such/path").await;
        let id = answer
            .assert_problem(404, "not_found")
            .header("x-request-id")
            .to_owned();
        assert!(id != replaced && id.len() == 36, "{replaced} became {id}");
    }
}

async fn paths(service: &TestService) {
    let send = async |line: &str| {
        let request = format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        service.raw(request.as_bytes()).await
    };
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
        let answer = send(&format!("GET {path}")).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
    }
    let answer = send("BREW /health/live").await;
    assert!(
        answer.starts_with("HTTP/1.1 405") && answer.contains("allow: GET, HEAD"),
        "{answer}"
    );
    // Two lengths for one body, a length that is none, a header that never ends: no request at all.
    for request in [
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
    ] {
        let answer = service.raw(request.as_bytes()).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{request:?}: {answer}"
        );
    }
}
