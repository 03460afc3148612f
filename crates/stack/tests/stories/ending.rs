//! How the platform stops.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use rustix::process::{Pid, Signal, getpgid, kill_process_group};
use serde_json::json;

use crate::place::{Place, SERVICES, is_free};
use crate::platform::PASSWORD;
use crate::{SOON, eventually};

#[tokio::test]
async fn it_stops_when_it_is_told_to_and_takes_everything_along() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::new().await;
        let mut platform = place.platform().await;
        // Somebody's connection is still open.
        let client = platform.nobody_at("user-service");
        client.get("/health/live").await.assert_status(200);
        platform.send(signal);
        let status = platform.end().await;
        assert_eq!(
            status.code(),
            Some(0),
            "{signal:?}: {status}\n{}",
            platform.log.text()
        );
        for service in SERVICES {
            assert!(is_free(platform.port(service)), "{service}'s port");
        }
        for event in platform.log.events() {
            assert_eq!(event["level"], "INFO", "nothing went wrong: {event}");
        }
    }
}

#[tokio::test]
async fn an_interrupt_from_the_terminal_is_the_stacks_alone_to_handle() {
    let place = Place::new().await;
    let mut platform = place.platform().await;
    for child in platform.children() {
        let pid = Pid::from_raw(child.pid.try_into().unwrap());
        assert_eq!(
            getpgid(pid).unwrap(),
            pid.unwrap(),
            "{child:?} is in another's process group"
        );
    }
    kill_process_group(
        Pid::from_raw(platform.pid().try_into().unwrap()).unwrap(),
        Signal::INT,
    )
    .unwrap();
    assert_eq!(platform.end().await.code(), Some(0), "{}", platform.log.text());
    assert!(!platform.log.text().contains("died"), "{}", platform.log.text());
}

#[tokio::test]
async fn it_stops_while_it_starts() {
    let place = Place::new().await;
    let mut platform = place.start(&[]);
    eventually("a service runs", async || !platform.children().is_empty()).await;
    platform.send(Signal::TERM);
    let status = platform.end().await;
    assert_eq!(status.code(), Some(0), "{status}\n{}", platform.log.text());
}

#[tokio::test]
async fn what_is_under_way_is_answered_before_it_stops() {
    let place = Place::new().await;
    let mut platform = place.platform().await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada"}).to_string();
    let mut connection = TcpStream::connect(("127.0.0.1", platform.port("user-service"))).unwrap();
    connection.set_read_timeout(Some(SOON)).unwrap();
    write!(
        connection,
        "POST /auth/register HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n",
        body.len()
    )
    .unwrap();
    // The service has the request in hand.
    let mut begun = [0; 25];
    connection.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 100 Continue\r\n\r\n");

    platform.send(Signal::TERM);
    eventually("the other service has stopped", async || {
        platform.pid_of("product-service").is_none()
    })
    .await;
    assert!(
        platform.is_running(),
        "it left a service behind that has something to do"
    );
    connection.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(platform.end().await.code(), Some(0), "{}", platform.log.text());

    let platform = place.platform().await;
    platform
        .login("ada@example.com", PASSWORD)
        .await
        .assert_status(200);
}

#[tokio::test]
async fn it_runs_although_what_it_prints_has_nowhere_to_go() {
    let place = Place::new().await;
    let mut platform = place.start_by_shell(r#"exec "$0" > /dev/full"#);
    eventually("it is ready", async || {
        platform.log.text().contains("everything is ready")
    })
    .await;
    let killed = platform.kill("product-service");
    platform.wait_for_another("product-service", killed).await;
    platform.send(Signal::TERM);
    assert_eq!(platform.end().await.code(), Some(0), "{}", platform.log.text());
}
