//! Stopping the platform.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use rustix::process::{Pid, Signal, getpgid, kill_process_group};
use serde_json::json;

use crate::platform::PASSWORD;
use crate::sandbox::{Sandbox, is_free, ports, services};
use crate::trader::{Trader, order_of};
use crate::{DEADLINE, eventually};

#[tokio::test]
async fn a_signal_stops_stack_and_all_services() {
    for signal in [Signal::TERM, Signal::INT] {
        let sandbox = Sandbox::new().await;
        let mut platform = sandbox.platform().await;
        // A client's connection is still open.
        let client = platform.anonymous_at("user-service");
        client.get("/health/live").await.assert_status(200);
        platform.send(signal);
        let status = platform.end().await;
        assert_eq!(
            status.code(),
            Some(0),
            "{signal:?}: {status}\n{}",
            platform.log.text()
        );
        for service in services() {
            let mut ports = ports(sandbox.port_base, service);
            assert!(ports.all(is_free), "{service}'s ports");
        }
        for event in platform.log.events() {
            assert_eq!(event["level"], "INFO", "{event}");
        }
    }
}

#[tokio::test]
async fn an_interrupt_from_the_terminal_reaches_only_stack() {
    let sandbox = Sandbox::new().await;
    let mut platform = sandbox.platform().await;
    for child in platform.children() {
        let pid = Pid::from_raw(child.pid.try_into().unwrap());
        assert_eq!(
            getpgid(pid).unwrap(),
            pid.unwrap(),
            "{child:?} is in the process group of another process"
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
async fn stack_can_be_stopped_during_its_start() {
    let sandbox = Sandbox::new().await;
    let mut platform = sandbox.start(&[]);
    eventually("a service runs", async || !platform.children().is_empty()).await;
    platform.send(Signal::TERM);
    let status = platform.end().await;
    assert_eq!(status.code(), Some(0), "{status}\n{}", platform.log.text());
}

#[tokio::test]
async fn running_requests_are_answered_before_a_service_stops() {
    let sandbox = Sandbox::new().await;
    let mut platform = sandbox.platform().await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada"}).to_string();
    let mut connection = begin_request(platform.port("user-service"), "/auth/register", "", body.len());

    platform.send(Signal::TERM);
    eventually("the other service has stopped", async || {
        platform.pid_of("product-service").is_none()
    })
    .await;
    assert!(
        platform.is_running(),
        "stack did not wait for a service with a running request"
    );
    connection.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(platform.end().await.code(), Some(0), "{}", platform.log.text());

    let platform = sandbox.platform().await;
    platform
        .login("ada@example.com", PASSWORD)
        .await
        .assert_status(200);
}

#[tokio::test]
async fn a_running_order_reaches_the_services_that_it_calls() {
    let sandbox = Sandbox::new().await;
    let mut platform = sandbox.platform().await;
    let admin = Trader::admin(&platform, &sandbox).await;
    let product = admin.create_product(1).await;
    let order = order_of(&product, 1).to_string();
    let token = admin.token().to_owned();
    let head = format!("authorization: Bearer {token}\r\n");
    let mut connection = begin_request(platform.port("order-service"), "/orders", &head, order.len());
    platform.send(Signal::TERM);
    eventually("order-service accepts no connection", async || {
        is_refused(platform.port("order-service")).await
    })
    .await;
    connection.write_all(order.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(answer.contains(r#""status":"confirmed""#), "{answer}");
    assert_eq!(platform.end().await.code(), Some(0), "{}", platform.log.text());
}

/// Whether no program listens. Just before a service closes its port, clients wait for a second.
async fn is_refused(port: u16) -> bool {
    let connected = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
    connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

#[tokio::test]
async fn a_service_that_dies_while_its_callers_stop_is_not_restarted() {
    let sandbox = Sandbox::new().await;
    let mut platform = sandbox.platform().await;
    // Without a token, the answer would not wait for the body.
    let admin = Trader::admin(&platform, &sandbox).await;
    let head = format!("authorization: Bearer {}\r\n", admin.token());
    let mut connection = begin_request(platform.port("order-service"), "/orders", &head, 2);
    platform.send(Signal::TERM);
    eventually("order-service stops", async || {
        platform.log.text().contains("\"stopping\"")
    })
    .await;
    let pid = platform.kill("user-service");
    eventually("stack notices the death", async || {
        platform.log.text().contains("died")
    })
    .await;
    assert_eq!(platform.pid_of("user-service"), None, "it was {pid}");
    assert!(
        platform.pid_of("product-service").is_some(),
        "it stopped before its caller"
    );

    connection.write_all(b"{}").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 422 "), "{answer}");
    assert_eq!(platform.end().await.code(), Some(0), "{}", platform.log.text());
    assert!(
        !platform.log.text().contains("restarting"),
        "{}",
        platform.log.text()
    );
}

/// Sends the head of a request, and waits until the service processes it and expects a body of this length.
fn begin_request(port: u16, path: &str, headers: &str, length: usize) -> TcpStream {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(
        connection,
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         {headers}content-length: {length}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut started = [0; 25];
    connection.read_exact(&mut started).unwrap();
    assert_eq!(&started, b"HTTP/1.1 100 Continue\r\n\r\n");
    connection
}

#[tokio::test]
async fn stack_runs_when_standard_output_is_full() {
    let sandbox = Sandbox::new().await;
    let mut platform = sandbox.start_by_shell(r#"exec "$0" > /dev/full"#);
    eventually("the platform is ready", async || {
        platform.log.text().contains("everything is ready")
    })
    .await;
    let killed = platform.kill("product-service");
    platform.wait_for_restart("product-service", killed).await;
    platform.send(Signal::TERM);
    assert_eq!(platform.end().await.code(), Some(0), "{}", platform.log.text());
}
