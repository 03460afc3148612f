//! Following a JWKS URL, against a publisher that is up or down, quick or slow, honest or not, as each test wants it.
#![expect(clippy::unwrap_used, reason = "a test stops at what can't be")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use auth::testing::Issuer;
use auth::{AuthError, Keys, Principal, Refetch, RemoteKeys, RemoteKeysError, TokenFault, Verifier};
use futures_util::future::join_all;
use serde_json::{Value, json};

const UNKNOWN_KEY: Result<Principal, AuthError> = Err(AuthError::InvalidToken(TokenFault::UnknownKey));

/// Far more than anything here takes, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// What the publisher says when it is asked.
#[derive(Clone)]
enum Answer {
    Says(&'static str, Vec<u8>),
    /// Points elsewhere.
    Redirects(String),
    /// Begins a body and never ends it.
    Stalls,
    /// Hangs up at once.
    HangsUp,
    /// Says nothing until it is told to say something else.
    Waits,
}

fn document(jwks: &Value) -> Answer {
    Answer::Says("200 OK", jwks.to_string().into_bytes())
}

struct Publisher {
    address: SocketAddr,
    shared: Arc<(Mutex<State>, Condvar)>,
}

struct State {
    answer: Answer,
    asked: usize,
    in_flight: usize,
    most_in_flight: usize,
}

impl Publisher {
    fn of(answer: Answer) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    fn on(listener: TcpListener, answer: Answer) -> Self {
        let state = State {
            answer,
            asked: 0,
            in_flight: 0,
            most_in_flight: 0,
        };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let address = listener.local_addr().unwrap();
        let of_listener = Arc::clone(&shared);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let shared = Arc::clone(&of_listener);
                // A client that hangs up on its own account is no matter here.
                std::thread::spawn(move || drop(serve(&connection.unwrap(), &shared)));
            }
        });
        Self { address, shared }
    }

    fn url(&self) -> String {
        format!("http://{}/.well-known/jwks.json", self.address)
    }

    fn answers(&self, answer: Answer) {
        self.shared.0.lock().unwrap().answer = answer;
        self.shared.1.notify_all();
    }

    /// How often it was asked.
    fn asked(&self) -> usize {
        self.shared.0.lock().unwrap().asked
    }

    async fn until_asked(&self, times: usize) {
        until("asked", || self.asked() >= times).await;
        assert_eq!(self.asked(), times);
    }
}

fn serve(connection: &TcpStream, (state, changed): &(Mutex<State>, Condvar)) -> std::io::Result<()> {
    let mut request = BufReader::new(connection).lines();
    while request.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let mut held = state.lock().unwrap();
    held.asked += 1;
    held.in_flight += 1;
    held.most_in_flight = held.most_in_flight.max(held.in_flight);
    let mut held = changed
        .wait_while(held, |state| matches!(state.answer, Answer::Waits))
        .unwrap();
    held.in_flight -= 1;
    let answer = held.answer.clone();
    drop(held);

    let mut out = connection;
    match answer {
        Answer::Says(status, body) => {
            write!(
                out,
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            )?;
            out.write_all(&body)
        }
        Answer::Redirects(to) => {
            write!(
                out,
                "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
        }
        Answer::Stalls => {
            write!(out, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{{\"keys\":[")?;
            // Comes back when the client gives up.
            request.next().transpose().map(drop)
        }
        Answer::HangsUp | Answer::Waits => Ok(()),
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "not {what} in time");
        // For other tasks and threads to get on; nothing depends on how long it is.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Lets time pass for the timers of the code under test, in no time.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

fn follow(publisher: &Publisher) -> Keys {
    Keys::remote(RemoteKeys::at(&publisher.url()).unwrap())
}

/// A publisher of this issuer's key, and a verifier that has fetched it once.
async fn started(issuer: &Issuer) -> (Publisher, Keys, Verifier) {
    let publisher = Publisher::of(document(&issuer.jwks()));
    let keys = follow(&publisher);
    until("loaded", || keys.is_loaded()).await;
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
async fn the_set_is_fetched_at_start() {
    let issuer = Issuer::new("a");
    let publisher = Publisher::of(document(&issuer.jwks()));
    let keys = follow(&publisher);
    let verifier = issuer.verifier_with(keys.clone());
    assert!(!verifier.has_keys());

    // A caller who comes before the first answer waits for it.
    assert!(verifier.verify(&issuer.as_user().token()).await.is_ok());
    assert!(verifier.has_keys());
    assert_eq!(held(&keys), ids(&issuer.jwks()));
    assert_eq!(publisher.asked(), 1);
}

#[tokio::test]
async fn ed25519_and_p256_keys_are_used_by_default() {
    for issuer in [Issuer::new("a"), Issuer::es256("a")] {
        let publisher = Publisher::of(document(&issuer.jwks()));
        let verifier = issuer.verifier_with(follow(&publisher));

        assert!(verifier.verify(&issuer.as_user().token()).await.is_ok());
    }
}

#[tokio::test]
async fn before_any_set_was_loaded_nobody_can_be_judged() {
    let issuer = Issuer::new("a");
    let publisher = Publisher::of(Answer::Waits);
    let verifier = issuer.verifier_with(follow(&publisher));
    let token = issuer.as_user().token();
    assert_eq!(
        verifier.verify_with_held_keys(&token),
        Err(AuthError::KeysUnavailable)
    );

    publisher.answers(Answer::HangsUp);
    assert_eq!(verifier.verify(&token).await, Err(AuthError::KeysUnavailable));
    assert!(!verifier.has_keys());
    // What is no token at all needs no key to be refused.
    assert_eq!(
        verifier.verify("a.b.c").await,
        Err(AuthError::InvalidToken(TokenFault::Malformed))
    );
}

#[tokio::test]
async fn a_publisher_that_is_not_up_yet_is_asked_again() {
    let issuer = Issuer::new("a");
    for _ in 0..5 {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let keys = Keys::remote(RemoteKeys::at(&format!("http://{address}/jwks.json")).unwrap());
        let verifier = issuer.verifier_with(keys);
        assert_eq!(
            verifier.verify(&issuer.as_user().token()).await,
            Err(AuthError::KeysUnavailable)
        );

        // Somebody else may have taken the port meanwhile.
        let Ok(listener) = TcpListener::bind(address) else {
            continue;
        };
        let _publisher = Publisher::on(listener, document(&issuer.jwks()));
        until("loaded", || verifier.has_keys()).await;
        assert!(verifier.verify_with_held_keys(&issuer.as_user().token()).is_ok());
        return;
    }
    panic!("no port could be had twice");
}

#[tokio::test]
async fn an_unknown_key_causes_one_fetch_however_many_ask_and_no_other_within_the_pause() {
    let issuer = Issuer::new("a");
    let (publisher, _, verifier) = started(&issuer).await;
    let strangers: Vec<String> = (0..50).map(|_| issuer.rotated().as_user().token()).collect();
    let all_ask = async || join_all(strangers.iter().map(|token| verifier.verify(token))).await;

    assert!(all_ask().await.iter().all(|verdict| *verdict == UNKNOWN_KEY));
    assert_eq!(publisher.asked(), 1, "the pause begins with the fetch at start");
    for fetches in 2..=4 {
        pass(10).await;
        for _ in 0..2 {
            assert!(all_ask().await.iter().all(|verdict| *verdict == UNKNOWN_KEY));
            assert_eq!(publisher.asked(), fetches);
        }
    }
    assert!(verifier.verify(&issuer.as_user().token()).await.is_ok());
    assert_eq!(publisher.asked(), 4, "a known key needs no fetch");
}

#[tokio::test]
async fn a_fetch_that_takes_longer_than_the_pause_serves_all_who_wait_for_it() {
    let issuer = Issuer::new("a");
    let publisher = Publisher::of(document(&issuer.jwks()));
    let remote = RemoteKeys::at(&publisher.url())
        .unwrap()
        .unknown_key_pause(Duration::ZERO);
    let verifier = issuer.verifier_with(Keys::remote(remote));
    until("loaded", || verifier.has_keys()).await;

    let rotated = issuer.rotated();
    publisher.answers(document(&rotated.jwks()));
    let tokens: Vec<String> = (0..50).map(|_| rotated.as_user().token()).collect();
    let verdicts = join_all(tokens.iter().map(|token| verifier.verify(token))).await;
    assert!(verdicts.iter().all(Result::is_ok));
    assert_eq!(publisher.asked(), 2);
}

#[tokio::test]
async fn a_rotation_is_followed_and_the_old_key_is_dropped() {
    let issuer = Issuer::new("a");
    let (publisher, keys, verifier) = started(&issuer).await;
    let (old, rotated) = (issuer.as_user().token(), issuer.rotated());
    assert!(verifier.verify(&old).await.is_ok());

    // First both keys, then the new one alone.
    let both = json!({"keys": [issuer.jwks()["keys"][0], rotated.jwks()["keys"][0]]});
    publisher.answers(document(&both));
    pass(10).await;
    assert!(verifier.verify(&rotated.as_user().token()).await.is_ok());
    assert!(verifier.verify(&old).await.is_ok());
    assert_eq!(held(&keys), ids(&both));

    publisher.answers(document(&rotated.jwks()));
    keys.refetch(Refetch::Announced).await;
    assert_eq!(verifier.verify(&old).await, UNKNOWN_KEY);
    assert!(verifier.verify(&rotated.as_user().token()).await.is_ok());
    assert_eq!(held(&keys), ids(&rotated.jwks()));
}

#[tokio::test]
async fn the_set_is_refreshed_without_any_cause() {
    let issuer = Issuer::new("a");
    let (publisher, keys, _) = started(&issuer).await;
    let rotated = issuer.rotated();
    publisher.answers(document(&rotated.jwks()));
    pass(290).await;
    let (other, ..) = started(&issuer).await;
    assert_eq!(
        (publisher.asked(), other.asked()),
        (1, 1),
        "whoever was due has had the time to ask"
    );
    pass(10).await;
    until("refreshed", || held(&keys) == ids(&rotated.jwks())).await;
    assert_eq!(publisher.asked(), 2);
}

#[tokio::test]
async fn an_announced_change_is_fetched_at_once() {
    let issuer = Issuer::new("a");
    let (publisher, keys, verifier) = started(&issuer).await;
    let rotated = issuer.rotated();
    publisher.answers(document(&rotated.jwks()));
    assert_eq!(
        verifier.verify(&rotated.as_user().token()).await,
        UNKNOWN_KEY,
        "inside the pause"
    );

    keys.refetch(Refetch::Announced).await;
    assert_eq!(publisher.asked(), 2);
    assert!(verifier.verify(&rotated.as_user().token()).await.is_ok());
    keys.refetch(Refetch::Announced).await;
    assert_eq!(publisher.asked(), 3);
    assert_eq!(publisher.shared.0.lock().unwrap().most_in_flight, 1);
}

#[tokio::test]
async fn an_announcement_is_not_satisfied_by_a_fetch_that_began_before_it() {
    let issuer = Issuer::new("a");
    let (publisher, keys, _) = started(&issuer).await;
    publisher.answers(Answer::Waits);
    let announce = || {
        let keys = keys.clone();
        tokio::spawn(async move { keys.refetch(Refetch::Announced).await })
    };
    let earlier = announce();
    publisher.until_asked(2).await;
    // All of these wait for one more fetch, since what the one in flight brings may be older than what they heard of.
    let later: Vec<_> = (0..10).map(|_| announce()).collect();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    publisher.answers(document(&issuer.jwks()));
    earlier.await.unwrap();
    for announced in later {
        announced.await.unwrap();
    }
    assert_eq!(publisher.asked(), 3);
    assert_eq!(publisher.shared.0.lock().unwrap().most_in_flight, 1);
}

#[tokio::test]
async fn whatever_the_publisher_says_the_keys_that_are_held_stay_good() {
    let issuer = Issuer::new("a");
    let (publisher, keys, verifier) = started(&issuer).await;
    let rotated = issuer.rotated().jwks();
    let elsewhere = Publisher::of(document(&rotated));
    let mut private = rotated.clone();
    private["keys"][0]["d"] = json!("AAAA");
    let mut long = rotated.clone();
    long["pad"] = json!("a".repeat(64 * 1024));

    let bad = [
        ("garbage", Answer::Says("200 OK", b"\0\xff<html>".to_vec())),
        ("no body", Answer::Says("200 OK", Vec::new())),
        (
            "404",
            Answer::Says("404 Not Found", rotated.to_string().into_bytes()),
        ),
        (
            "500",
            Answer::Says("500 Internal Server Error", rotated.to_string().into_bytes()),
        ),
        (
            "another success",
            Answer::Says("203 Non-Authoritative", rotated.to_string().into_bytes()),
        ),
        ("a redirect", Answer::Redirects(elsewhere.url())),
        ("10 MB", Answer::Says("200 OK", vec![b' '; 10_000_000])),
        ("64 KiB and a bit", document(&long)),
        ("an empty set", document(&json!({"keys": []}))),
        ("private keys alone", document(&private)),
        (
            "a list",
            Answer::Says("200 OK", rotated["keys"].to_string().into_bytes()),
        ),
        ("hanging up", Answer::HangsUp),
    ];
    for (asked, (what, answer)) in (2..).zip(bad) {
        publisher.answers(answer);
        keys.refetch(Refetch::Announced).await;
        assert_eq!(publisher.asked(), asked, "{what}");
        assert_eq!(held(&keys), ids(&issuer.jwks()), "{what}");
        assert!(verifier.verify(&issuer.as_user().token()).await.is_ok(), "{what}");
    }
    assert_eq!(elsewhere.asked(), 0, "a redirect is not followed");

    let mut nearly = rotated.clone();
    nearly["pad"] = json!("");
    nearly["pad"] = json!("a".repeat(64 * 1024 - nearly.to_string().len()));
    publisher.answers(document(&nearly));
    keys.refetch(Refetch::Announced).await;
    assert_eq!(held(&keys), ids(&rotated), "64 KiB are taken");
}

#[tokio::test]
async fn a_private_key_beside_a_good_one_is_left_out() {
    let issuer = Issuer::new("a");
    let (publisher, keys, verifier) = started(&issuer).await;
    let leaked = issuer.rotated();
    let mut private = leaked.jwks()["keys"][0].clone();
    private["d"] = json!("AAAA");
    publisher.answers(document(&json!({"keys": [private, issuer.jwks()["keys"][0]]})));
    keys.refetch(Refetch::Announced).await;

    assert_eq!(held(&keys), ids(&issuer.jwks()));
    assert!(verifier.verify(&issuer.as_user().token()).await.is_ok());
    assert_eq!(verifier.verify(&leaked.as_user().token()).await, UNKNOWN_KEY);
}

#[tokio::test]
async fn a_publisher_that_never_ends_is_given_up_after_five_seconds() {
    let issuer = Issuer::new("a");
    for slow in [Answer::Stalls, Answer::Waits] {
        let (publisher, keys, verifier) = started(&issuer).await;
        publisher.answers(slow);
        let refetch = {
            let keys = keys.clone();
            tokio::spawn(async move { keys.refetch(Refetch::Announced).await })
        };
        publisher.until_asked(2).await;
        assert!(
            verifier.verify(&issuer.as_user().token()).await.is_ok(),
            "meanwhile, what is held is good"
        );
        assert!(!refetch.is_finished());

        let began = Instant::now();
        pass(5).await;
        tokio::time::timeout(DEADLINE, refetch)
            .await
            .expect("given up")
            .unwrap();
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "it was the time that passed, not the publisher"
        );
        assert_eq!(held(&keys), ids(&issuer.jwks()));
    }
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_take_the_fetch_along() {
    let issuer = Issuer::new("a");
    let (publisher, keys, verifier) = started(&issuer).await;
    let rotated = issuer.rotated();
    let token = rotated.as_user().token();
    pass(10).await;
    publisher.answers(Answer::Waits);
    let caller = {
        let (verifier, token) = (verifier.clone(), token.clone());
        tokio::spawn(async move { verifier.verify(&token).await })
    };
    publisher.until_asked(2).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());

    publisher.answers(document(&rotated.jwks()));
    until("fetched", || held(&keys) == ids(&rotated.jwks())).await;
    assert!(verifier.verify(&token).await.is_ok());
    assert_eq!(publisher.asked(), 2);
}

#[tokio::test]
async fn nobody_is_asked_once_the_keys_are_let_go() {
    let issuer = Issuer::new("a");
    let (publisher, keys, verifier) = started(&issuer).await;
    drop((keys, verifier));
    pass(301).await;
    pass(301).await;
    let (other, ..) = started(&issuer).await;
    assert_eq!(
        (publisher.asked(), other.asked()),
        (1, 1),
        "whoever was due has had the time to ask"
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
        assert!(matches!(RemoteKeys::at(url), Err(RemoteKeysError::Url)), "{url}");
    }
    for url in [
        "http://localhost/jwks.json",
        "https://localhost/jwks.json",
        "HTTPS://LOCALHOST",
    ] {
        assert!(RemoteKeys::at(url).is_ok(), "{url}");
    }
}
