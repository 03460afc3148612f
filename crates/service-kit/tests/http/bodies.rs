//! Bodies: how long, of which type, and how they arrive.

use std::time::{Duration, Instant};

use actix_web::http::Method;
use serde_json::json;
use service_kit::MAX_BODY_BYTES;
use test_kit::TestResponse;

use crate::test_service::Things;

/// A body of exactly this many bytes, and the length of its text.
fn body_of(bytes: usize) -> (String, usize) {
    let length = bytes - r#"{"text":""}"#.len();
    (format!(r#"{{"text":"{}"}}"#, "x".repeat(length)), length)
}

/// The body in chunks of this size.
fn chunked(body: &str, size: usize) -> String {
    let chunks = body.as_bytes().chunks(size);
    let chunks = chunks.map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk)));
    chunks.chain(["0\r\n\r\n".to_owned()]).collect()
}

fn head(framing: &str) -> String {
    format!("POST /things HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{framing}\r\n\r\n")
}

async fn send_as(things: &Things, content_type: Option<&str>, body: &str) -> TestResponse {
    let build = |request: reqwest::RequestBuilder| match content_type {
        Some(value) => request.header("content-type", value).body(body.to_owned()),
        None => request.body(body.to_owned()),
    };
    things.anonymous().send(&Method::POST, "/things", build).await
}

#[actix_web::test]
async fn a_body_of_64_kib_is_accepted_and_one_byte_more_is_refused() {
    let things = Things::spawn().await;
    assert_eq!(MAX_BODY_BYTES, 65_536);
    let (fits, length) = body_of(65_536);
    let (too_long, _) = body_of(65_537);

    let answer = send_as(&things, Some("application/json"), &fits).await;
    answer.assert(201, json!({"length": length}));
    send_as(&things, Some("application/json"), &too_long)
        .await
        .assert_problem(413, "payload_too_large");

    for size in [1_000, 65_536, 70_000] {
        let mut wire = things.connect().await;
        wire.send(head("transfer-encoding: chunked") + &chunked(&fits, size))
            .await;
        assert_eq!(wire.hear().await.status, 201, "{size}");
        wire.send(head("transfer-encoding: chunked") + &chunked(&too_long, size))
            .await;
        wire.hear().await.assert_problem(413, "payload_too_large");
    }
}

#[actix_web::test]
async fn a_body_with_too_large_a_content_length_is_refused_at_once() {
    let things = Things::spawn().await;
    for length in ["65537", "1000000000000", "18446744073709551615"] {
        let mut wire = things.connect().await;
        wire.send(head(&format!("content-length: {length}"))).await;
        wire.hear().await.assert_problem(413, "payload_too_large");
        wire.assert_closed_within(Duration::from_secs(10)).await;
    }
}

#[actix_web::test]
async fn an_endless_body_is_refused_while_it_arrives() {
    let things = Things::spawn().await;
    let mut wire = things.connect().await;
    wire.send(head("transfer-encoding: chunked")).await;
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    for _ in 0..17 {
        wire.send(&chunk).await;
    }
    wire.hear().await.assert_problem(413, "payload_too_large");
    let begun = Instant::now();
    while wire.try_send(&chunk).await {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the service still reads"
        );
    }
}

#[actix_web::test]
async fn a_body_must_be_declared_as_json_in_utf8() {
    let things = Things::spawn().await;
    for accepted in [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json; charset=utf-8",
        "application/json; charset=UTF-8",
        "application/json ; Charset=\"Utf-8\"",
        "application/json; charset=\"utf-8\"; v=1",
        "application/json; v=1",
        "application/json;",
    ] {
        send_as(&things, Some(accepted), r#"{"text":"t"}"#)
            .await
            .assert(201, json!({"length": 1}));
    }
    for refused in [
        "",
        "json",
        "text/json",
        "text/plain",
        "application/jsonp",
        "application/problem+json",
        "application/merge-patch+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=application/json",
        "application/json, text/plain",
        "application/json; charset=utf-16",
        "application/json; charset=iso-8859-1",
        "application/json; charset=",
        "application/json; charset=not-utf-8",
        "application/json; v=1; charset=utf-16",
        "application/json; charset=utf-8; charset=utf-16",
    ] {
        let answer = send_as(&things, Some(refused), r#"{"text":"t"}"#).await;
        answer.assert_problem(415, "unsupported_media_type");
    }
    send_as(&things, None, r#"{"text":"t"}"#)
        .await
        .assert_problem(415, "unsupported_media_type");
    // An empty body is not JSON.
    send_as(&things, Some("application/json"), "")
        .await
        .assert_problem(400, "malformed_json");
    for (coding, status) in [
        ("identity", 201),
        ("gzip", 415),
        ("br", 415),
        ("identity, gzip", 415),
    ] {
        let client = things.anonymous().with("content-encoding", coding);
        client
            .post("/things", json!({"text": "t"}))
            .await
            .assert_status(status);
    }
}

#[actix_web::test]
async fn an_invalid_value_is_reported_with_its_field() {
    let things = Things::spawn().await;
    for (body, field) in [
        (r#"{"text": "", "role": "admin"}"#, "role"),
        (r#"{"text": ""}"#, "text"),
        (r#"{"text": 1}"#, "text"),
        ("{}", "text"),
        ("[]", ""),
    ] {
        send_as(&things, Some("application/json"), body)
            .await
            .assert_invalid(field);
    }
    for body in [
        "{",
        "{\"text\":\"t\"",
        "{\"text\":\"t\"}{}",
        "{\"text\":\"t\",\"text\":\"t\"}",
        "\u{feff}{}",
    ] {
        send_as(&things, Some("application/json"), body)
            .await
            .assert_problem(400, "malformed_json");
    }
}

#[actix_web::test]
async fn an_optional_body_is_checked_if_there_is_one() {
    let things = Things::spawn().await;
    let send = async |content_type: Option<&str>, body: &'static str| {
        let build = |request: reqwest::RequestBuilder| match content_type {
            Some(value) => request.header("content-type", value).body(body),
            None => request.body(body),
        };
        things
            .anonymous()
            .send(&Method::POST, "/things/maybe", build)
            .await
    };
    things
        .anonymous()
        .send(&Method::POST, "/things/maybe", |request| request)
        .await
        .assert(200, json!({"length": null}));
    send(None, "").await.assert(200, json!({"length": null}));
    send(Some("text/plain"), "")
        .await
        .assert(200, json!({"length": null}));
    send(Some("application/json"), r#"{"text":"t"}"#)
        .await
        .assert(200, json!({"length": 1}));
    send(Some("application/json"), "{}").await.assert_invalid("text");
    send(Some("application/json"), "{")
        .await
        .assert_problem(400, "malformed_json");
    send(Some("text/plain"), r#"{"text":"t"}"#)
        .await
        .assert_problem(415, "unsupported_media_type");
    send(None, r#"{"text":"t"}"#)
        .await
        .assert_problem(415, "unsupported_media_type");

    let (too_long, _) = body_of(65_537);
    let mut wire = things.connect().await;
    let head = head("transfer-encoding: chunked").replace("/things", "/things/maybe");
    wire.send(head.clone() + &chunked(r#"{"text":"t"}"#, 5)).await;
    assert_eq!(wire.hear().await.body, r#"{"length":1}"#);
    wire.send(head + &chunked(&too_long, 5_000)).await;
    wire.hear().await.assert_problem(413, "payload_too_large");
}

#[actix_web::test]
async fn a_form_has_the_same_limit_as_json_and_must_declare_its_type() {
    let things = Things::spawn().await;
    let client = things.anonymous();
    let answer = client
        .post_form("/form", "other=1&text=a+b%26%C3%A9&empty=")
        .await;
    answer.assert(200, json!({"text": "a b&\u{e9}"}));
    client
        .post_form("/form", "text=")
        .await
        .assert(200, json!({"text": null}));
    client
        .post_form("/form", "text=1&text=1")
        .await
        .assert_problem(400, "malformed_form");
    client
        .post_form("/form", "text=%ff")
        .await
        .assert_problem(400, "malformed_form");
    client
        .post_form("/form", "text=%zz")
        .await
        .assert_problem(400, "malformed_form");
    client
        .post("/form", json!({"text": "t"}))
        .await
        .assert_problem(415, "unsupported_media_type");
    let fits = format!("text={}", "x".repeat(MAX_BODY_BYTES - 5));
    let too_long = format!("{fits}x");
    client.post_form("/form", &fits).await.assert_status(200);
    client
        .post_form("/form", &too_long)
        .await
        .assert_problem(413, "payload_too_large");

    let head = head("transfer-encoding: chunked").replace("/things", "/form");
    let head = head.replace(
        "application/json",
        "Application/x-www-form-urlencoded; charset=UTF-8",
    );
    let mut wire = things.connect().await;
    wire.send(head.clone() + &chunked("text=t", 4)).await;
    assert_eq!(wire.hear().await.body, r#"{"text":"t"}"#);
    wire.send(head + &chunked(&too_long, 5_000)).await;
    wire.hear().await.assert_problem(413, "payload_too_large");
}

#[actix_web::test]
async fn a_client_that_expects_100_continue_gets_it() {
    let things = Things::spawn().await;
    let mut wire = things.connect().await;
    wire.send(head("content-length: 12\r\nexpect: 100-continue"))
        .await;
    assert_eq!(wire.hear().await.status, 100);
    wire.send(r#"{"text":"t"}"#).await;
    assert_eq!(wire.hear().await.status, 201);
    wire.assert_works().await;
}

/// This takes 15 seconds, after which a stalled body is given up.
#[actix_web::test]
async fn a_stalled_body_is_given_up_and_its_connection_closed() {
    let things = Things::spawn().await;
    let stall = async |framing: &str, begin: &str| {
        let mut wire = things.connect().await;
        wire.send(head(framing) + begin).await;
        let begun = Instant::now();
        wire.hear_within(Duration::from_secs(20))
            .await
            .assert_problem(408, "body_timeout");
        let waited = begun.elapsed();
        assert!((14..18).contains(&waited.as_secs()), "{waited:?}");
        wire.assert_closed_within(Duration::from_secs(10)).await;
    };
    tokio::join!(
        stall("content-length: 12", ""),
        stall("content-length: 12", r#"{"text""#),
        stall("transfer-encoding: chunked", ""),
        stall("transfer-encoding: chunked", "5\r\n{\"tex"),
    );
}

#[actix_web::test]
async fn an_incomplete_or_malformed_body_affects_no_other_client() {
    let things = Things::spawn().await;
    for broken in ["zz\r\n", "-1\r\n", "5\r\nabcdefgh\r\n", "ffffffffffffffffff\r\n"] {
        let mut wire = things.connect().await;
        wire.send(head("transfer-encoding: chunked") + broken).await;
        let heard = wire.hear().await;
        assert_eq!(heard.status, 400, "{heard:?}");
    }
    for framing in ["content-length: 100", "transfer-encoding: chunked"] {
        let mut wire = things.connect().await;
        wire.send(head(framing) + "5\r\nabcde\r\n").await;
        drop(wire);
    }
    things.anonymous().get("/id").await.assert_status(200);
}
