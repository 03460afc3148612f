//! Answers that are not what they should be.

use std::time::Duration;

use auth::CallError;
use serde_json::{Value, json};

use crate::fake::{Fake, says, sends};
use crate::house::{House, at_once, fine, script};

const MOST: usize = 4 * 1024 * 1024;

#[tokio::test]
async fn four_mebibytes_are_taken_and_no_byte_more() {
    let body = format!("\"{}\"", "a".repeat(MOST - 2));
    let house = House::beside(script([says(200, &body)]));
    assert_eq!(
        house.get().await.unwrap().json::<String>().unwrap().len(),
        MOST - 2
    );

    let house = House::beside(script([says(200, &format!("{body} "))]));
    assert!(matches!(house.get().await, Err(CallError::TooLong)));
    assert_eq!(house.neighbour.count(), 1, "it would be no shorter");
}

#[tokio::test]
async fn an_answer_without_end_is_broken_off() {
    for head in [
        "content-length: 99999999999999999\r\n",
        "transfer-encoding: chunked\r\n",
        "",
    ] {
        let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
        let endless = sends(format!("HTTP/1.1 200 X\r\n{head}\r\n")).and_repeats(chunk, Duration::ZERO);
        let house = House::beside(script([endless]));
        assert!(matches!(house.get().await, Err(CallError::TooLong)), "{head}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_the_json_that_was_expected_is_told_so() {
    for body in ["", "<html>", "{", "[]", r#"{"a": 1}"#, "\"a", "null"] {
        let house = House::beside(script([says(200, body)]));
        let answer = house.get().await.unwrap();
        assert!(matches!(
            answer.json::<std::collections::HashMap<String, String>>(),
            Err(CallError::InvalidJson(_))
        ));
    }
    let house = House::beside(|_| sends(b"HTTP/1.1 200 X\r\ncontent-length: 3\r\n\r\n\"\xff\""));
    assert!(matches!(
        house.get().await.unwrap().json::<String>(),
        Err(CallError::InvalidJson(_))
    ));
}

#[tokio::test]
async fn what_is_no_answer_at_all_is_told_so() {
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
        let house = House::beside(script([sends(bytes).and_hangs_up()]));
        let outcome = at_once(house.post()).await;
        assert!(
            matches!(outcome, Err(CallError::NoResponse(_))),
            "{bytes:?} became {outcome:?}"
        );
    }
}

#[tokio::test]
async fn nobody_is_followed_elsewhere() {
    let elsewhere = Fake::that(fine);
    for status in [301, 302, 303, 307, 308] {
        let away = format!(
            "HTTP/1.1 {status} X\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
            elsewhere.url("/")
        );
        let house = House::beside(script([sends(away)]));
        assert_eq!(house.status().await, status);
        assert_eq!(house.post().await.unwrap().status(), status);
    }
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn what_comes_before_an_answer_is_not_it() {
    let early = "HTTP/1.1 103 X\r\nlink: </a>\r\n\r\n".repeat(3);
    let house = House::beside(script([sends(format!(
        "{early}HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\n{{}}"
    ))]));
    assert_eq!(house.get().await.unwrap().json::<Value>().unwrap(), json!({}));
}

#[tokio::test]
async fn what_comes_after_an_answer_is_not_taken_for_the_next() {
    let late = "HTTP/1.1 200 X\r\ncontent-length: 1\r\n\r\n7";
    let twice = format!("{late}HTTP/1.1 200 X\r\ncontent-length: 1\r\n\r\n8");
    let house = House::beside(script([sends(twice), says(200, "9")]));
    assert_eq!(house.get().await.unwrap().json::<u8>().unwrap(), 7);
    assert_eq!(house.get().await.unwrap().json::<u8>().unwrap(), 9);
}

#[tokio::test]
async fn an_answer_may_have_no_body() {
    for does in [
        says(204, ""),
        sends("HTTP/1.1 204 X\r\n\r\n"),
        sends("HTTP/1.1 304 X\r\ncontent-length: 9\r\n\r\n"),
    ] {
        let house = House::beside(script([does]));
        assert!(at_once(house.get()).await.unwrap().json::<Value>().is_err());
        assert!(matches!(house.status().await, 204 | 304));
    }
}
