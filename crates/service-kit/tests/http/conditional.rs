//! `ETag`, `If-None-Match` and `If-Match` (RFC 9110 §13).

use actix_web::http::Method;
use test_kit::TestResponse;

use crate::test_service::{Things, VERSION};

const THING: &str = "/things/01890a5d-ac96-774b-bcce-b302099a8057";

#[actix_web::test]
async fn an_unchanged_resource_is_answered_with_304() {
    let things = Things::spawn().await;
    let read = async |known: &str| things.anonymous().with("if-none-match", known).get(THING).await;
    let tag = format!("\"{VERSION}\"");
    let fresh = things.anonymous().get(THING).await;
    assert_eq!(fresh.assert_status(200).header("etag"), tag);

    for known in [
        tag.as_str(),
        "*",
        "W/\"7\"",
        "\"6\", \"7\"",
        "\"6\",\"7\"",
        "  \"7\"  ",
        "junk, \"7\"",
    ] {
        let answer = read(known).await;
        assert_eq!(answer.assert_status(304).header("etag"), tag, "{known}");
        assert_eq!(answer.body, "", "{known}");
        assert!(!answer.header("x-request-id").is_empty());
    }
    for unknown in [
        "\"6\"", "W/\"6\"", "7", "\"77\"", "\"\"", "\"7", "w/\"7\"", "", "\"*\"", "\u{fc}",
    ] {
        let answer = read(unknown).await;
        assert_eq!(answer.assert_status(200).body, fresh.body, "{unknown}");
    }
    // Two headers are one list (RFC 9110 §5.3).
    let both = things
        .anonymous()
        .with("if-none-match", "\"6\"")
        .with("if-none-match", "\"7\"");
    both.get(THING).await.assert_status(304);
}

#[actix_web::test]
async fn a_stale_if_match_is_refused() {
    let things = Things::spawn().await;
    let put = async |seen: Option<&str>| -> TestResponse {
        let client = seen.map_or_else(
            || things.anonymous().clone(),
            |seen| things.anonymous().with("if-match", seen),
        );
        client.send(&Method::PUT, THING, |request| request).await
    };
    for accepted in [
        None,
        Some("*"),
        Some("\"7\""),
        Some("\"6\", \"7\""),
        Some("\"7\" , W/\"7\""),
    ] {
        put(accepted).await.assert_status(200);
    }
    // A weak tag never matches (RFC 9110 §8.8.3.2).
    for stale in ["\"6\"", "W/\"7\"", "\"77\"", "\"6\", \"8\"", "\"\"", "\"*\""] {
        put(Some(stale)).await.assert_problem(412, "precondition_failed");
    }
    for unreadable in ["7", "", "\"7", "junk", "w/\"7\"", "\u{fc}", ","] {
        put(Some(unreadable)).await.assert_problem(400, "invalid_header");
    }
}
