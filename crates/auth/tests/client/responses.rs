//! Malformed, oversized and unusual responses.

use std::time::Duration;

use auth::CallError;
use serde_json::{Value, json};

use crate::fake_server::{FakeServer, respond, send_bytes};
use crate::fixture::{Fixture, ok, script};
use crate::time::at_once;

const MAX_BYTES: usize = 4 * 1024 * 1024;

#[tokio::test]
async fn a_response_of_four_mebibytes_is_accepted_and_a_longer_one_refused() {
    let body = format!("\"{}\"", "a".repeat(MAX_BYTES - 2));
    let fixture = Fixture::with_neighbour(script([respond(200, &body)]));
    assert_eq!(
        fixture.get().await.unwrap().json::<String>().unwrap().len(),
        MAX_BYTES - 2
    );

    let fixture = Fixture::with_neighbour(script([respond(200, &format!("{body} "))]));
    assert!(matches!(fixture.get().await, Err(CallError::TooLong)));
    assert_eq!(fixture.neighbour.count(), 1, "a retry would not be shorter");
}

#[tokio::test]
async fn an_endless_response_is_aborted() {
    for head in [
        "content-length: 99999999999999999\r\n",
        "transfer-encoding: chunked\r\n",
        "",
    ] {
        let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
        let endless = send_bytes(format!("HTTP/1.1 200 X\r\n{head}\r\n")).then_repeat(chunk, Duration::ZERO);
        let fixture = Fixture::with_neighbour(script([endless]));
        assert!(matches!(fixture.get().await, Err(CallError::TooLong)), "{head}");
    }
}

#[tokio::test]
async fn an_unexpected_body_is_reported_as_garbled() {
    for body in ["", "<html>", "{", "[]", r#"{"a": 1}"#, "\"a", "null"] {
        let fixture = Fixture::with_neighbour(script([respond(200, body)]));
        let response = fixture.get().await.unwrap();
        assert!(matches!(
            response.json::<std::collections::HashMap<String, String>>(),
            Err(CallError::InvalidJson(_))
        ));
    }
    let fixture =
        Fixture::with_neighbour(|_| send_bytes(b"HTTP/1.1 200 X\r\ncontent-length: 3\r\n\r\n\"\xff\""));
    assert!(matches!(
        fixture.get().await.unwrap().json::<String>(),
        Err(CallError::InvalidJson(_))
    ));
}

#[tokio::test]
async fn an_invalid_response_is_reported_as_no_answer() {
    for bytes in [
        "\r\n\r\n\r\n",
        "\0\0\0\0",
        "HTTP/0.9 200 X\r\n\r\n",
        "HTTP/1.1 99999 X\r\n\r\n",
        "HTTP/1.1 200 X\r\n: a\r\n\r\n",
        "HTTP/1.1 200 X\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 X\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\naa",
        "HTTP/1.1 200 X\r\ncontent-length: 3\r\n\r\naa",
        "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 103 X\r\n\r\n",
    ] {
        let fixture = Fixture::with_neighbour(script([send_bytes(bytes).then_close()]));
        let outcome = at_once(fixture.post()).await;
        assert!(
            matches!(outcome, Err(CallError::NoResponse(_))),
            "{bytes:?} became {outcome:?}"
        );
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = FakeServer::start(ok);
    for status in [301, 302, 303, 307, 308] {
        let redirect = format!(
            "HTTP/1.1 {status} X\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
            elsewhere.url("/")
        );
        let fixture = Fixture::with_neighbour(script([send_bytes(redirect)]));
        assert_eq!(fixture.status().await, status);
        assert_eq!(fixture.post().await.unwrap().status(), status);
    }
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn informational_responses_are_skipped() {
    let early = "HTTP/1.1 103 X\r\nlink: </a>\r\n\r\n".repeat(3);
    let fixture = Fixture::with_neighbour(script([send_bytes(format!(
        "{early}HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\n{{}}"
    ))]));
    assert_eq!(fixture.get().await.unwrap().json::<Value>().unwrap(), json!({}));
}

#[tokio::test]
async fn bytes_after_a_response_are_not_taken_for_the_next_response() {
    let late = "HTTP/1.1 200 X\r\ncontent-length: 1\r\n\r\n7";
    let twice = format!("{late}HTTP/1.1 200 X\r\ncontent-length: 1\r\n\r\n8");
    let fixture = Fixture::with_neighbour(script([send_bytes(twice), respond(200, "9")]));
    assert_eq!(fixture.get().await.unwrap().json::<u8>().unwrap(), 7);
    assert_eq!(fixture.get().await.unwrap().json::<u8>().unwrap(), 9);
}

#[tokio::test]
async fn a_response_may_have_no_body() {
    for action in [
        respond(204, ""),
        send_bytes("HTTP/1.1 204 X\r\n\r\n"),
        send_bytes("HTTP/1.1 304 X\r\ncontent-length: 9\r\n\r\n"),
    ] {
        let fixture = Fixture::with_neighbour(script([action]));
        assert!(at_once(fixture.get()).await.unwrap().json::<Value>().is_err());
        assert!(matches!(fixture.status().await, 204 | 304));
    }
}
