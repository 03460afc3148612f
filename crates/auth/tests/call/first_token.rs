//! The first token: asked for once, by the book, and recognised.

use std::time::Duration;

use auth::{CallError, ServiceClient, ServiceCredentials, TokenError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use secrecy::SecretString;
use serde_json::json;

use crate::fake::{Does, Fake, hangs, hangs_up, says, sends};
use crate::heard::Heard;
use crate::house::{House, SECRET, at_once, fine, issue, issues, pass, script};

#[tokio::test]
async fn a_hundred_first_calls_wait_for_one_token() {
    let house = House::beside(fine);
    assert!(house.tokens.heard().is_empty(), "nobody has called yet");
    let answers = join_all((0..100).map(|_| house.get())).await;

    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().unwrap().status() == 200)
    );
    assert_eq!((house.tokens.count(), house.neighbour.count()), (1, 100));
    let heard = house.neighbour.heard();
    assert!(
        heard
            .iter()
            .all(|heard| heard.header("authorization") == Some("Bearer token-1"))
    );
}

#[tokio::test]
async fn it_is_asked_for_as_the_standard_says() {
    let house = House::beside(fine);
    house.status().await;
    let asked = house.tokens.heard().remove(0);
    assert_eq!(asked.what, "POST /oauth/token");
    assert_eq!(
        asked.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(asked.body, "grant_type=client_credentials&audience=thing-service");
    assert_eq!(
        credentials(&asked),
        "order-service:not-a-secret%3A+100%25+%2B+f%C3%BCr"
    );
}

#[tokio::test]
async fn a_name_may_have_what_would_end_it() {
    let (tokens, neighbour) = (Fake::that(issues(900)), Fake::that(fine));
    let known = ServiceCredentials::new("a:b c%", SecretString::from(SECRET), tokens.url("/"));
    let client = ServiceClient::builder(&known, "a&b=c", &neighbour.url(""))
        .build()
        .unwrap();
    client.get("/").send().await.unwrap();
    let asked = tokens.heard().remove(0);
    assert_eq!(credentials(&asked).split(':').next(), Some("a%3Ab+c%25"));
    assert!(asked.body.ends_with("&audience=a%26b%3Dc"), "{}", asked.body);
}

fn credentials(asked: &Heard) -> String {
    let basic = asked
        .header("authorization")
        .unwrap()
        .strip_prefix("Basic ")
        .unwrap();
    String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap()
}

/// What comes of a first call where the token endpoint does this.
async fn refused_for(does: Does) -> TokenError {
    let house = House::of(Fake::that(script([does])), Fake::that(fine));
    let outcome = at_once(house.get()).await;
    assert_eq!(house.neighbour.count(), 0);
    match outcome {
        Err(CallError::NoToken(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_no_bearer_token_is_not_taken_for_one() {
    let good = json!({"access_token": "a", "token_type": "Bearer", "expires_in": 900});
    let with = |name: &str, value: serde_json::Value| {
        let mut answer = good.clone();
        answer[name] = value;
        says(200, &answer.to_string())
    };
    for wrong in [
        with("token_type", json!("mac")),
        with("token_type", json!(null)),
        with("access_token", json!(null)),
        with("access_token", json!("a\nb")),
        with("access_token", json!(["a"])),
        with("expires_in", json!(null)),
        with("expires_in", json!(0)),
        with("expires_in", json!(-1)),
        with("expires_in", json!("900")),
        with("padding", json!("a".repeat(64 * 1024))),
        says(200, "<html>"),
        says(200, ""),
        says(200, "[]"),
        says(204, ""),
    ] {
        assert_eq!(refused_for(wrong).await, TokenError::InvalidResponse);
    }
    for right in [
        says(200, &good.to_string()),
        says(201, &good.to_string()),
        with("token_type", json!("bEARER")),
    ] {
        assert_eq!(
            House::of(Fake::that(script([right])), Fake::that(fine))
                .status()
                .await,
            200
        );
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_its_status_and_code() {
    let elsewhere = Fake::that(issues(900));
    let away = format!(
        "HTTP/1.1 307 X\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
        elsewhere.url("/")
    );
    for (does, status, code) in [
        (
            says(401, r#"{"error": "invalid_client", "error_description": "-"}"#),
            401,
            "invalid_client",
        ),
        (says(400, r#"{"error": "invalid_target"}"#), 400, "invalid_target"),
        (says(403, r#"{"error": {"code": 7}}"#), 403, ""),
        (says(500, "<html>"), 500, ""),
        (sends(away), 307, ""),
    ] {
        assert_eq!(
            refused_for(does).await,
            TokenError::Refused {
                status,
                code: code.to_owned()
            }
        );
    }
    assert_eq!(elsewhere.count(), 0, "a redirect is not followed");
}

#[tokio::test]
async fn no_answer_is_told_with_its_cause() {
    for does in [
        hangs_up(),
        sends("HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\n{").and_hangs_up(),
        sends("\0\0\0\n\n"),
    ] {
        let told = refused_for(does).await;
        assert!(
            matches!(&told, TokenError::NoResponse(cause) if !cause.is_empty()),
            "{told:?}"
        );
    }
    let house = House::of(Fake::asleep(issues(900)), Fake::that(fine));
    let told = at_once(house.get()).await.unwrap_err().to_string();
    assert!(told.contains("refused"), "{told}");
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_waited_for_once() {
    let house = House::of(Fake::that(script([hangs()])), Fake::that(fine));
    let client = house.client.clone();
    let first = tokio::spawn(async move { client.get("/things").send().await });
    house.tokens.until_heard(1).await;
    pass(3.0).await;
    let is_no_answer = |outcome| matches!(outcome, Err(CallError::NoToken(TokenError::NoResponse(_))));
    assert!(is_no_answer(at_once(first).await.unwrap()));
    for _ in 0..3 {
        assert!(is_no_answer(
            tokio::time::timeout(Duration::from_millis(500), house.get())
                .await
                .unwrap()
        ));
    }
    assert_eq!(house.neighbour.count(), 0);
}

#[tokio::test]
async fn calls_work_again_soon_after_the_endpoint_does() {
    let mut house = House::of(Fake::asleep(issues(900)), Fake::that(fine));
    for _ in 0..5 {
        assert!(matches!(at_once(house.get()).await, Err(CallError::NoToken(_))));
        pass(60.0).await;
    }
    house.tokens.wake();
    pass(2.0).await;
    house.until_answered().await;
    assert_eq!(house.tokens.count(), 1);
}

#[tokio::test]
async fn what_needs_no_token_works_while_nobody_gives_one() {
    let house = House::of(Fake::that(|heard| issue(heard, 900)), Fake::that(fine));
    assert_eq!(
        house
            .client
            .get("/things")
            .without_token()
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(house.tokens.count(), 0);
    let house = House::of(Fake::asleep(issues(900)), Fake::that(fine));
    assert!(house.get().await.is_err());
    for _ in 0..3 {
        let answer = at_once(house.client.get("/things").without_token().send())
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert!(
        house
            .neighbour
            .heard()
            .iter()
            .all(|heard| heard.header("authorization").is_none())
    );
}
