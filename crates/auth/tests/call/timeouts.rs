//! Whatever the neighbour does, a call ends in time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use auth::{CallError, ServiceClient, ServiceCredentials};
use futures_util::future::join_all;
use secrecy::SecretString;
use tokio::net::{TcpSocket, TcpStream};

use crate::fake::{Does, Fake, hangs, sends};
use crate::house::{House, SECRET, fine, issue, issues, script, soon};

/// What never comes to an end.
fn endless() -> [Does; 5] {
    let drip = Duration::from_millis(10);
    [
        hangs(),
        sends("HTTP/1.1 200 X\r\n").and_hangs(),
        sends("HTTP/1.1 200 X\r\ncontent-length: 100000\r\n\r\n").and_repeats(b"a", drip),
        sends("HTTP/1.1 200 X\r\na: ").and_repeats(b"a", drip),
        sends("").and_repeats(b"HTTP/1.1 103 X\r\n\r\n", drip),
    ]
}

#[tokio::test]
async fn an_attempt_ends_and_so_do_all() {
    let houses = endless().map(|does| House::beside(script([does])).hasty(1_000, 10_000));
    join_all(houses.iter().map(async |house| {
        assert!(matches!(soon(house.post()).await, Err(CallError::Timeout)));
        assert_eq!(house.neighbour.count(), 1);
        let begun = Instant::now();
        assert!(matches!(soon(house.get()).await, Err(CallError::Timeout)));
        assert_eq!(house.neighbour.count(), 4);
        assert!(begun.elapsed() >= Duration::from_secs(3));
    }))
    .await;
}

#[tokio::test]
async fn a_call_ends_though_an_attempt_might_last() {
    let houses = endless().map(|does| House::beside(script([does])).hasty(60_000, 1_000));
    join_all(houses.iter().map(async |house| {
        assert!(matches!(soon(house.get()).await, Err(CallError::Timeout)));
        assert_eq!(house.neighbour.count(), 1);
    }))
    .await;
}

#[tokio::test]
async fn the_last_attempt_has_what_time_is_left() {
    let house = House::beside(|_| hangs()).hasty(1_000, 2_000);
    let begun = Instant::now();
    assert!(matches!(soon(house.get()).await, Err(CallError::Timeout)));
    assert_eq!(house.neighbour.count(), 2);
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn waiting_for_a_token_counts_too() {
    let house = House::of(Fake::that(|_| hangs()), Fake::that(fine)).hasty(60_000, 200);
    assert!(matches!(soon(house.get()).await, Err(CallError::Timeout)));
    assert_eq!(house.neighbour.count(), 0);
}

#[tokio::test]
async fn a_neighbour_is_not_asked_what_it_has_no_time_to_answer() {
    let tokens = Fake::that(|heard| {
        std::thread::sleep(Duration::from_millis(950));
        issue(heard, 900)
    });
    let house = House::of(tokens, Fake::that(fine)).hasty(1_000, 1_000);
    assert!(matches!(soon(house.get()).await, Err(CallError::Timeout)));
    assert_eq!(house.neighbour.count(), 0);
    house.until_answered().await;
}

#[tokio::test]
async fn no_timeout_is_too_long_to_count_with() {
    let house = House::beside(fine).hasty(u64::MAX, u64::MAX);
    assert_eq!(house.status().await, 200);
}

/// Nobody takes these connections, and there is no room for more: a packet that asks for one is dropped, as by a firewall.
async fn unreachable() -> (SocketAddr, impl Sized) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut taken = Vec::new();
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        taken.push(connected.unwrap());
    }
    (address, (listener, taken))
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_was_never_sent_anything() {
    let (address, _held) = unreachable().await;
    let tokens = Fake::that(issues(900));
    let credentials = ServiceCredentials::new("a", SecretString::from(SECRET), tokens.url("/"));
    let client = ServiceClient::builder(&credentials, "b", &format!("http://{address}"))
        .build()
        .unwrap();
    let begun = Instant::now();
    // Three attempts of a second each, where the first alone might have taken three.
    let outcome = client.post("/").send().await;
    assert!(matches!(outcome, Err(CallError::NoResponse(_))), "{outcome:?}");
    assert!(
        (3.0..5.0).contains(&begun.elapsed().as_secs_f64()),
        "{:?}",
        begun.elapsed()
    );
}
