//! `/openapi.json`: the documents of the services, joined into one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, Semaphore};
use tokio::time::{sleep, timeout};

use crate::client::{Answer, DEADLINE, eventually, read_to_end};
use crate::test_gateway::TestGateway;

const GET: &str = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// The own pages of the gateway.
const PAGES: [&str; 4] = ["/docs", "/health/live", "/health/ready", "/openapi.json"];

/// A service that has only a document.
#[derive(Clone)]
struct Service {
    origin: String,
    requests: Arc<AtomicUsize>,
}

impl Service {
    /// Starts a service with one route. It sends the document, or 500 without one, after `may_answer`.
    async fn start<F: Future<Output = ()> + Send>(
        path: Option<&str>,
        may_answer: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let service = Self {
            origin: format!("http://{address}"),
            requests: Arc::default(),
        };
        let requests = Arc::clone(&service.requests);
        let document = path.map(|path| json!({"paths": {path: {"get": {"responses": {}}}}}).to_string());
        let (document, may_answer) = (Arc::new(document), Arc::new(may_answer));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (requests, document) = (Arc::clone(&requests), Arc::clone(&document));
                let may_answer = Arc::clone(&may_answer);
                tokio::spawn(async move {
                    read_request(&mut stream).await;
                    requests.fetch_add(1, Ordering::SeqCst);
                    may_answer().await;
                    let (status, body) = document.as_ref().as_ref().map_or((500, ""), |body| (200, body));
                    let length = body.len();
                    let response = format!("HTTP/1.1 {status} A\r\ncontent-length: {length}\r\n\r\n{body}");
                    drop(stream.write_all(response.as_bytes()).await);
                });
            }
        });
        service
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn read_request(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.unwrap() > 0 {}
    assert!(head.starts_with(b"GET /openapi.json HTTP/1.1\r\n"), "{head:?}");
}

async fn gateway(users: &Service, products: &Service) -> TestGateway {
    TestGateway::open_with(&[
        ("USER_SERVICE_URL", &users.origin),
        ("PRODUCT_SERVICE_URL", &products.origin),
    ])
    .await
}

fn paths(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    document["paths"].as_object().unwrap().keys().cloned().collect()
}

#[actix_web::test]
async fn all_services_are_asked_at_the_same_time_and_once() {
    let barrier = Arc::new(Barrier::new(2));
    let meet = move || {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
        }
    };
    let users = Service::start(Some("/auth/login"), meet.clone()).await;
    let products = Service::start(Some("/products"), meet).await;
    let gateway = gateway(&users, &products).await;
    let expected = [&["/api/products", "/auth/login"], &PAGES[..]].concat();

    let answers = tokio::join!(
        gateway.get("/openapi.json", &[]),
        gateway.get("/openapi.json", &[]),
        gateway.get("/openapi.json", &[]),
    );
    for answer in [
        answers.0,
        answers.1,
        answers.2,
        gateway.get("/openapi.json", &[]).await,
    ] {
        assert_eq!(paths(&answer), expected);
    }
    assert_eq!((users.requests(), products.requests()), (1, 1));
}

#[actix_web::test]
async fn a_client_that_disconnects_does_not_restart_the_fetch() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let wait = move || {
        let gate = Arc::clone(&opened);
        async move { gate.acquire().await.unwrap().forget() }
    };
    let users = Service::start(Some("/auth/login"), wait.clone()).await;
    let products = Service::start(Some("/products"), wait).await;
    let gateway = gateway(&users, &products).await;

    let mut client = gateway.connect().await;
    client.write_all(GET.as_bytes()).await.unwrap();
    eventually(|| users.requests() == 1 && products.requests() == 1).await;
    client.shutdown().await.unwrap();
    // The gateway has noticed when it closes the connection.
    assert_eq!(read_to_end(&mut client).await, "");

    gate.add_permits(2);
    assert_eq!(
        paths(&gateway.get("/openapi.json", &[]).await).len(),
        2 + PAGES.len()
    );
    assert_eq!((users.requests(), products.requests()), (1, 1));
}

#[actix_web::test]
async fn a_failure_is_remembered_for_a_while() {
    let users = Service::start(None, async || {}).await;
    let products = Service::start(None, async || {}).await;
    let gateway = gateway(&users, &products).await;
    for _ in 0..3 {
        gateway
            .get("/openapi.json", &[])
            .await
            .assert_problem(503, "not_ready");
        assert_eq!((users.requests(), products.requests()), (1, 1));
    }
    let asked_again = async {
        while users.requests() == 1 {
            let answer = gateway.get("/openapi.json", &[]).await;
            answer.assert_problem(503, "not_ready");
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(DEADLINE, asked_again)
        .await
        .expect("the services are asked again");
}

#[actix_web::test]
async fn the_routes_of_a_service_that_does_not_answer_are_missing() {
    let users = Service::start(Some("/auth/login"), async || {}).await;
    let products = Service::start(None, async || {}).await;
    let gateway = gateway(&users, &products).await;
    assert_eq!(
        paths(&gateway.get("/openapi.json", &[]).await),
        [&["/auth/login"], &PAGES[..]].concat()
    );
}
