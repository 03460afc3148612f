//! TLS at the edge, with HTTP/1.1 and HTTP/2.

use std::time::Duration;

use reqwest::{Certificate, Version};

use crate::certificate::Certificate as TestCertificate;

#[actix_web::test]
async fn a_certificate_turns_on_tls_with_http_2() {
    let certificate = TestCertificate::new();
    let gateway = certificate.open_gateway().await;

    let client = || {
        reqwest::Client::builder()
            .tls_certs_only([Certificate::from_pem(certificate.pem().as_bytes()).unwrap()])
            .timeout(Duration::from_secs(20))
            .no_proxy()
    };
    let host = format!("localhost:{}", gateway.address.port());
    let user = gateway.issuer.as_user();
    for (client, version) in [
        (client().build().unwrap(), Version::HTTP_2),
        (client().http1_only().build().unwrap(), Version::HTTP_11),
    ] {
        let request = client
            .post(format!("https://{host}/api/orders"))
            .header("x-user-id", "forged")
            .header("cookie", "a=b")
            .header("x-forwarded-proto", "ftp")
            .bearer_auth(user.token())
            .body("{}");
        let response = request.send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, version));
        assert_eq!(response.text().await.unwrap(), user.user().id().to_string());
        let received = gateway.backend.last();
        assert_eq!(
            (received.target(), received.body.as_slice()),
            ("POST /orders", &b"{}"[..])
        );
        assert_eq!(received.header("x-forwarded-proto"), Some("https"));
        assert_eq!(received.header("cookie"), None);
        assert_eq!(received.header("x-forwarded-host"), Some(host.as_str()));

        // A refusal arrives although the body was not read.
        let refused = client
            .post(format!("https://{host}/api/products"))
            .body("a".repeat(2_000_000));
        let response = refused.send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (413, version));
        assert!(response.text().await.unwrap().contains("payload_too_large"));
    }
}

#[actix_web::test]
async fn a_client_without_tls_learns_that_it_must_use_it() {
    let certificate = TestCertificate::new();
    let gateway = certificate.open_gateway().await;
    let text = gateway.raw("GET /api/products HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    assert!(text.ends_with("\r\n\r\nUse https on this port.\n"), "{text}");
    assert!(gateway.backend.received().is_empty());
}
