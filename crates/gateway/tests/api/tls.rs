//! TLS at the edge, with HTTP/1.1 and HTTP/2.

use bytes::Bytes;
use http::request::Builder;
use http::{Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::timeout;

use crate::certificate::Certificate;
use crate::client::DEADLINE;
use crate::test_gateway::TestGateway;

/// A client of hyper, which offers these protocols and speaks the one that the gateway chooses.
struct Client<'t> {
    certificate: &'t Certificate,
    gateway: &'t TestGateway,
    protocols: &'t [&'t str],
}

impl Client<'_> {
    /// Sends a request on a new connection. Returns the version and the status of the response, and its body.
    async fn send(&self, request: Builder, body: String) -> (Version, u16, String) {
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let stream = self.gateway.connect().await;
        let stream = self
            .certificate
            .connect_with(stream, self.protocols)
            .await
            .unwrap();
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let io = TokioIo::new(stream);
        let exchange = async {
            if is_http2 {
                let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
                tokio::spawn(connection);
                sender.send_request(request).await.unwrap()
            } else {
                let (mut sender, connection) = http1::handshake(io).await.unwrap();
                tokio::spawn(connection);
                sender.send_request(request).await.unwrap()
            }
        };
        let (head, body) = timeout(DEADLINE, exchange).await.unwrap().into_parts();
        let body = timeout(DEADLINE, body.collect()).await.unwrap().unwrap();
        let text = String::from_utf8(body.to_bytes().to_vec()).unwrap();
        (head.version, head.status.as_u16(), text)
    }
}

#[actix_web::test]
async fn a_certificate_turns_on_tls_with_http_2() {
    let certificate = Certificate::new();
    let gateway = certificate.open_gateway().await;
    let host = format!("localhost:{}", gateway.address.port());
    let user = gateway.issuer.as_user();
    for (protocols, version) in [
        (&["h2", "http/1.1"][..], Version::HTTP_2),
        (&["http/1.1", "h2"], Version::HTTP_2),
        (&["http/1.1"], Version::HTTP_11),
        (&[], Version::HTTP_11),
    ] {
        let client = Client {
            certificate: &certificate,
            gateway: &gateway,
            protocols,
        };
        // HTTP/2 takes the host from the URI.
        let request = |path: &str| match version {
            Version::HTTP_2 => Request::post(format!("https://{host}{path}")),
            _ => Request::post(path).header("host", &host),
        };
        let post = request("/api/orders")
            .header("x-user-id", "forged")
            .header("cookie", "a=b")
            .header("x-forwarded-proto", "ftp")
            .header("authorization", format!("Bearer {}", user.token()));
        let answer = client.send(post, "{}".to_owned()).await;
        assert_eq!(answer, (version, 200, user.user().id().to_string()));
        let received = gateway.backend.last();
        assert_eq!(
            (received.target(), received.body.as_slice()),
            ("POST /orders", &b"{}"[..])
        );
        assert_eq!(received.header("x-forwarded-proto"), Some("https"));
        assert_eq!(received.header("cookie"), None);
        assert_eq!(received.header("x-forwarded-host"), Some(host.as_str()));

        // A refusal arrives although the body was not read.
        let long = client.send(request("/api/products"), "a".repeat(2_000_000)).await;
        assert_eq!((long.0, long.1), (version, 413));
        assert!(long.2.contains("payload_too_large"), "{}", long.2);
    }
}

#[actix_web::test]
async fn a_client_without_tls_learns_that_it_must_use_it() {
    let certificate = Certificate::new();
    let gateway = certificate.open_gateway().await;
    let text = gateway.raw("GET /api/products HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    assert!(text.ends_with("\r\n\r\nUse https on this port.\n"), "{text}");
    assert!(gateway.backend.received().is_empty());
}
