//! Keys from a JWKS URL, with a publisher that is up or down, fast or slow, honest or not.
#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

#[path = "../captured_log/mod.rs"]
mod captured_log;
mod discovery;
mod faults;
mod publisher;
mod time;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Duration;

use auth::testing::Issuer;
use auth::{AuthError, Keys, Principal, RefetchReason, RemoteKeys, RemoteKeysError, TokenFault, Verifier};
use futures_util::future::join_all;
use serde_json::{Value, json};

use publisher::{Publisher, Response, document};
use time::{advance, until};

const UNKNOWN_KEY: Result<Principal, AuthError> = Err(AuthError::InvalidToken(TokenFault::UnknownKey));

fn follow(publisher: &Publisher) -> Keys {
    Keys::remote(RemoteKeys::at(&publisher.url()).unwrap())
}

/// A publisher of the issuer's key set, and keys and a verifier that have fetched it once.
async fn started(issuer: &Issuer) -> (Publisher, Keys, Verifier) {
    let publisher = Publisher::start(document(&issuer.jwks()));
    let keys = follow(&publisher);
    until("a key set is loaded", || keys.is_loaded()).await;
    let verifier = issuer.verifier_with(keys.clone());
    (publisher, keys, verifier)
}

fn ids(jwks: &Value) -> BTreeSet<String> {
    jwks["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

fn held(keys: &Keys) -> BTreeSet<String> {
    keys.ids().into_iter().collect()
}

#[tokio::test]
async fn the_key_set_is_fetched_at_start() {
    let issuer = Issuer::new("a");
    let publisher = Publisher::start(document(&issuer.jwks()));
    let keys = follow(&publisher);
    let verifier = issuer.verifier_with(keys.clone());
    assert!(!verifier.has_keys());

    // A call before the first response waits for it.
    assert!(verifier.verify(&issuer.as_user().token()).await.is_ok());
    assert!(verifier.has_keys());
    assert_eq!(held(&keys), ids(&issuer.jwks()));
    assert_eq!(publisher.requests(), 1);
}

#[tokio::test]
async fn ed25519_and_p256_keys_are_used_by_default() {
    for issuer in [Issuer::new("a"), Issuer::es256("a")] {
        let publisher = Publisher::start(document(&issuer.jwks()));
        let verifier = issuer.verifier_with(follow(&publisher));

        assert!(verifier.verify(&issuer.as_user().token()).await.is_ok());
    }
}

#[tokio::test]
async fn tokens_cannot_be_verified_before_a_key_set_is_loaded() {
    let issuer = Issuer::new("a");
    let publisher = Publisher::start(Response::Wait);
    let verifier = issuer.verifier_with(follow(&publisher));
    let token = issuer.as_user().token();
    assert_eq!(
        verifier.verify_with_current_keys(&token),
        Err(AuthError::KeysUnavailable)
    );

    publisher.set_response(Response::Close);
    assert_eq!(verifier.verify(&token).await, Err(AuthError::KeysUnavailable));
    assert!(!verifier.has_keys());
    // A malformed token is refused without a key.
    assert_eq!(
        verifier.verify("a.b.c").await,
        Err(AuthError::InvalidToken(TokenFault::Malformed))
    );
}

#[tokio::test]
async fn an_unreachable_publisher_is_asked_again() {
    let issuer = Issuer::new("a");
    for _ in 0..5 {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let keys = Keys::remote(RemoteKeys::at(&format!("http://{address}/jwks.json")).unwrap());
        let verifier = issuer.verifier_with(keys);
        assert_eq!(
            verifier.verify(&issuer.as_user().token()).await,
            Err(AuthError::KeysUnavailable)
        );

        // Another process may have taken the port.
        let Ok(listener) = TcpListener::bind(address) else {
            continue;
        };
        let _publisher = Publisher::start_on(listener, document(&issuer.jwks()));
        until("a key set is loaded", || verifier.has_keys()).await;
        assert!(
            verifier
                .verify_with_current_keys(&issuer.as_user().token())
                .is_ok()
        );
        return;
    }
    panic!("no port could be bound a second time");
}

#[tokio::test]
async fn an_unknown_key_causes_one_fetch_per_pause_for_all_callers() {
    let issuer = Issuer::new("a");
    let (publisher, _, verifier) = started(&issuer).await;
    let unknown: Vec<String> = (0..50).map(|_| issuer.rotated().as_user().token()).collect();
    let verify_all = async || join_all(unknown.iter().map(|token| verifier.verify(token))).await;

    assert!(verify_all().await.iter().all(|verdict| *verdict == UNKNOWN_KEY));
    assert_eq!(publisher.requests(), 1, "the pause starts with the first fetch");
    for fetches in 2..=4 {
        advance(10).await;
        for _ in 0..2 {
            assert!(verify_all().await.iter().all(|verdict| *verdict == UNKNOWN_KEY));
            assert_eq!(publisher.requests(), fetches);
        }
    }
    assert!(verifier.verify(&issuer.as_user().token()).await.is_ok());
    assert_eq!(publisher.requests(), 4, "a known key needs no fetch");
}

#[tokio::test]
async fn a_fetch_longer_than_the_pause_serves_all_waiting_calls() {
    let issuer = Issuer::new("a");
    let publisher = Publisher::start(document(&issuer.jwks()));
    let remote = RemoteKeys::at(&publisher.url())
        .unwrap()
        .unknown_key_cooldown(Duration::ZERO);
    let verifier = issuer.verifier_with(Keys::remote(remote));
    until("a key set is loaded", || verifier.has_keys()).await;

    let rotated = issuer.rotated();
    publisher.set_response(document(&rotated.jwks()));
    let tokens: Vec<String> = (0..50).map(|_| rotated.as_user().token()).collect();
    let verdicts = join_all(tokens.iter().map(|token| verifier.verify(token))).await;
    assert!(verdicts.iter().all(Result::is_ok));
    assert_eq!(publisher.requests(), 2);
}

#[tokio::test]
async fn after_a_rotation_the_old_key_is_dropped() {
    let issuer = Issuer::new("a");
    let (publisher, keys, verifier) = started(&issuer).await;
    let (old, rotated) = (issuer.as_user().token(), issuer.rotated());
    assert!(verifier.verify(&old).await.is_ok());

    // The publisher first publishes both keys, then only the new one.
    let both = json!({"keys": [issuer.jwks()["keys"][0], rotated.jwks()["keys"][0]]});
    publisher.set_response(document(&both));
    advance(10).await;
    assert!(verifier.verify(&rotated.as_user().token()).await.is_ok());
    assert!(verifier.verify(&old).await.is_ok());
    assert_eq!(held(&keys), ids(&both));

    publisher.set_response(document(&rotated.jwks()));
    keys.refetch(RefetchReason::Announced).await;
    assert_eq!(verifier.verify(&old).await, UNKNOWN_KEY);
    assert!(verifier.verify(&rotated.as_user().token()).await.is_ok());
    assert_eq!(held(&keys), ids(&rotated.jwks()));
}

#[tokio::test]
async fn the_key_set_is_refreshed_periodically() {
    let issuer = Issuer::new("a");
    let (publisher, keys, _) = started(&issuer).await;
    let rotated = issuer.rotated();
    publisher.set_response(document(&rotated.jwks()));
    advance(290).await;
    // A due fetch gets the time that another first fetch needs.
    let (other, ..) = started(&issuer).await;
    assert_eq!(
        (publisher.requests(), other.requests()),
        (1, 1),
        "a fetch came too early"
    );
    advance(10).await;
    until("the key set is refreshed", || held(&keys) == ids(&rotated.jwks())).await;
    assert_eq!(publisher.requests(), 2);
}

#[tokio::test]
async fn an_announced_change_is_fetched_at_once() {
    let issuer = Issuer::new("a");
    let (publisher, keys, verifier) = started(&issuer).await;
    let rotated = issuer.rotated();
    publisher.set_response(document(&rotated.jwks()));
    assert_eq!(
        verifier.verify(&rotated.as_user().token()).await,
        UNKNOWN_KEY,
        "the pause is not over"
    );

    keys.refetch(RefetchReason::Announced).await;
    assert_eq!(publisher.requests(), 2);
    assert!(verifier.verify(&rotated.as_user().token()).await.is_ok());
    keys.refetch(RefetchReason::Announced).await;
    assert_eq!(publisher.requests(), 3);
    assert_eq!(publisher.max_in_flight(), 1);
}

#[tokio::test]
async fn an_announcement_is_not_satisfied_by_an_earlier_fetch() {
    let issuer = Issuer::new("a");
    let (publisher, keys, _) = started(&issuer).await;
    publisher.set_response(Response::Wait);
    let announce = || {
        let keys = keys.clone();
        tokio::spawn(async move { keys.refetch(RefetchReason::Announced).await })
    };
    let earlier = announce();
    publisher.until_requested(2).await;
    // These wait for another fetch: the one in flight may return a key set from before their announcement.
    let later: Vec<_> = (0..10).map(|_| announce()).collect();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    publisher.set_response(document(&issuer.jwks()));
    earlier.await.unwrap();
    for announced in later {
        announced.await.unwrap();
    }
    assert_eq!(publisher.requests(), 3);
    assert_eq!(publisher.max_in_flight(), 1);
}

#[tokio::test]
async fn dropped_keys_are_not_refreshed() {
    let issuer = Issuer::new("a");
    let (publisher, keys, verifier) = started(&issuer).await;
    drop((keys, verifier));
    advance(301).await;
    advance(301).await;
    // A due fetch gets the time that another first fetch needs.
    let (other, ..) = started(&issuer).await;
    assert_eq!(
        (publisher.requests(), other.requests()),
        (1, 1),
        "a fetch came too early"
    );
}

#[tokio::test]
async fn only_http_urls_are_followed() {
    for url in [
        "",
        "/jwks.json",
        "localhost",
        "file:///etc/passwd",
        "ftp://localhost/",
        "data:,{}",
    ] {
        assert!(
            matches!(RemoteKeys::at(url), Err(RemoteKeysError::Url(_))),
            "{url}"
        );
    }
    for url in [
        "http://localhost/jwks.json",
        "https://localhost/jwks.json",
        "HTTPS://LOCALHOST",
    ] {
        assert!(RemoteKeys::at(url).is_ok(), "{url}");
    }
}
