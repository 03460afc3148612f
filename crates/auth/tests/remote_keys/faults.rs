//! Faults: bad responses, slow publishers and cancelled calls.

use std::time::{Duration, Instant};

use auth::RefetchReason;
use auth::testing::Issuer;
use serde_json::json;

use crate::captured_log::CapturedLog;
use crate::publisher::{Publisher, Response, document};
use crate::time::{DEADLINE, advance, until};
use crate::{UNKNOWN_KEY, follow, held, ids, started};

#[tokio::test]
async fn the_held_keys_survive_every_bad_response() {
    let issuer = Issuer::new("a");
    let (publisher, keys, verifier) = started(&issuer).await;
    let rotated = issuer.rotated().jwks();
    let redirect_target = Publisher::start(document(&rotated));
    let mut private = rotated.clone();
    private["keys"][0]["d"] = json!("AAAA");
    let mut long = rotated.clone();
    long["pad"] = json!("a".repeat(64 * 1024));

    let bad = [
        ("garbage", Response::Full("200 OK", b"\0\xff<html>".to_vec())),
        ("no body", Response::Full("200 OK", Vec::new())),
        (
            "404",
            Response::Full("404 Not Found", rotated.to_string().into_bytes()),
        ),
        (
            "500",
            Response::Full("500 Internal Server Error", rotated.to_string().into_bytes()),
        ),
        (
            "another success",
            Response::Full("203 Non-Authoritative", rotated.to_string().into_bytes()),
        ),
        ("a redirect", Response::Redirect(redirect_target.url())),
        ("10 MB", Response::Full("200 OK", vec![b' '; 10_000_000])),
        ("more than 64 KiB", document(&long)),
        ("an empty set", document(&json!({"keys": []}))),
        ("only private keys", document(&private)),
        (
            "an array",
            Response::Full("200 OK", rotated["keys"].to_string().into_bytes()),
        ),
        ("a closed connection", Response::Close),
    ];
    for (requests, (name, response)) in (2..).zip(bad) {
        publisher.set_response(response);
        keys.refetch(RefetchReason::Announced).await;
        assert_eq!(publisher.requests(), requests, "{name}");
        assert_eq!(held(&keys), ids(&issuer.jwks()), "{name}");
        assert!(verifier.verify(&issuer.as_user().token()).await.is_ok(), "{name}");
    }
    assert_eq!(redirect_target.requests(), 0, "a redirect is not followed");

    let mut longest = rotated.clone();
    longest["pad"] = json!("");
    longest["pad"] = json!("a".repeat(64 * 1024 - longest.to_string().len()));
    publisher.set_response(document(&longest));
    keys.refetch(RefetchReason::Announced).await;
    assert_eq!(held(&keys), ids(&rotated), "a document of 64 KiB is accepted");
}

#[tokio::test]
async fn a_published_private_key_is_ignored() {
    let issuer = Issuer::new("a");
    let (publisher, keys, verifier) = started(&issuer).await;
    let leaked = issuer.rotated();
    let mut private = leaked.jwks()["keys"][0].clone();
    private["d"] = json!("AAAA");
    publisher.set_response(document(&json!({"keys": [private, issuer.jwks()["keys"][0]]})));
    keys.refetch(RefetchReason::Announced).await;

    assert_eq!(held(&keys), ids(&issuer.jwks()));
    assert!(verifier.verify(&issuer.as_user().token()).await.is_ok());
    assert_eq!(verifier.verify(&leaked.as_user().token()).await, UNKNOWN_KEY);
}

#[tokio::test]
async fn a_fetch_times_out_after_five_seconds() {
    let issuer = Issuer::new("a");
    for slow in [Response::Stall, Response::Wait] {
        let (publisher, keys, verifier) = started(&issuer).await;
        publisher.set_response(slow);
        let refetch = {
            let keys = keys.clone();
            tokio::spawn(async move { keys.refetch(RefetchReason::Announced).await })
        };
        publisher.until_requested(2).await;
        assert!(
            verifier.verify(&issuer.as_user().token()).await.is_ok(),
            "the held keys stay valid meanwhile"
        );
        assert!(!refetch.is_finished());

        let began = Instant::now();
        advance(5).await;
        tokio::time::timeout(DEADLINE, refetch)
            .await
            .expect("the fetch times out")
            .unwrap();
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "the fetch ended by real time, not by the advanced clock"
        );
        assert_eq!(held(&keys), ids(&issuer.jwks()));
    }
}

#[tokio::test]
async fn a_publisher_that_starts_last_causes_no_warning_for_five_seconds() {
    let log = CapturedLog::start();
    let publisher = Publisher::start(Response::Full("503 Service Unavailable", Vec::new()));
    let _keys = follow(&publisher);
    publisher.until_requested(2).await;
    assert_eq!(log.take_lines(), Vec::<String>::new());

    advance(5).await;
    until("a warning", || {
        let lines = log.take_lines();
        lines
            .iter()
            .any(|line| line.contains("WARN") && line.contains("could not fetch the key set"))
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_call_does_not_cancel_the_fetch() {
    let issuer = Issuer::new("a");
    let (publisher, keys, verifier) = started(&issuer).await;
    let rotated = issuer.rotated();
    let token = rotated.as_user().token();
    advance(10).await;
    publisher.set_response(Response::Wait);
    let caller = {
        let (verifier, token) = (verifier.clone(), token.clone());
        tokio::spawn(async move { verifier.verify(&token).await })
    };
    publisher.until_requested(2).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());

    publisher.set_response(document(&rotated.jwks()));
    until("the new key set is fetched", || {
        held(&keys) == ids(&rotated.jwks())
    })
    .await;
    assert!(verifier.verify(&token).await.is_ok());
    assert_eq!(publisher.requests(), 2);
}
