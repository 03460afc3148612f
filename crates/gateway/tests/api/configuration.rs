//! A wrong configuration keeps the program from starting.

use tempfile::TempDir;
use tokio::time::timeout;

use crate::certificate::Certificate;
use crate::client::DEADLINE;
use crate::program::{self, Program};

/// Starts the program with these variables, and returns its exit code and its standard error.
async fn start(variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let directory = TempDir::new().unwrap();
    let mut command = program::command(&directory);
    let ending = command.env("PORT", "0").envs(variables.iter().copied()).output();
    let output = timeout(DEADLINE, ending)
        .await
        .expect("the program ends")
        .unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[actix_web::test]
async fn a_wrong_configuration_is_reported_with_the_name_of_its_variable() {
    let (one, other) = (Certificate::new(), Certificate::new());
    let (cert, key) = (one.pem(), one.key_pem());
    let other_key = other.key_pem();
    for (variables, problems) in [
        (
            &[("TLS_CERT", cert.as_str())][..],
            &["TLS_KEY is missing, but TLS_CERT is set"][..],
        ),
        (&[("TLS_KEY", &key)], &["TLS_CERT is missing, but TLS_KEY is set"]),
        (
            &[("TLS_CERT", "nowhere.pem"), ("TLS_KEY", &key)],
            &["TLS_CERT is neither PEM nor a readable file: "],
        ),
        (
            &[("TLS_CERT", &key), ("TLS_KEY", &cert)],
            &[
                "TLS_CERT must contain a certificate in PEM",
                "TLS_KEY must contain an unencrypted private key in PEM",
            ],
        ),
        (
            &[("TLS_CERT", &cert), ("TLS_KEY", &other_key)],
            &["TLS_CERT and TLS_KEY can't be used: "],
        ),
        (
            &[("CORS_ORIGINS", "https://app.example, *, https://app.example/page")],
            &[
                "`*` is not an origin",
                "`https://app.example/page` is not an origin",
            ],
        ),
        (
            &[("PRODUCT_SERVICE_URL", "https://products.example")],
            &["PRODUCT_SERVICE_URL must be an http origin: the gateway calls services without TLS"],
        ),
        (
            &[("PRODUCT_SERVICE_URL", "http://products.example/path")],
            &["PRODUCT_SERVICE_URL must be an origin such as "],
        ),
        (&[("RATE_LIMIT", "many")], &["RATE_LIMIT must be "]),
        // All problems at once.
        (
            &[
                ("CORS_ORIGINS", "x"),
                ("RATE_LIMIT", "x"),
                ("TLS_KEY", &key),
                ("ORDER_SERVICE_URL", "https://orders.example"),
            ],
            &[
                "CORS_ORIGINS must be origins such as ",
                "RATE_LIMIT must be ",
                "TLS_CERT is missing",
                "ORDER_SERVICE_URL must be an http origin",
            ],
        ),
    ] {
        let (code, text) = start(variables).await;
        assert_eq!(code, Some(78), "{text}");
        let (first, lines) = text.split_once('\n').unwrap();
        assert_eq!(first, "gateway: the configuration is invalid:");
        assert_eq!(lines.lines().count(), problems.len(), "{text}");
        for problem in problems {
            assert!(text.contains(problem), "{problem:?} is missing: {text}");
        }
        // A key is a secret.
        assert!(!text.contains("PRIVATE KEY"), "{text}");
    }
}

#[actix_web::test]
async fn a_certificate_without_an_https_origin_causes_a_warning() {
    let certificate = Certificate::new();
    let (cert, key) = (certificate.pem(), certificate.key_pem());
    for (url, warnings) in [("http://localhost:8080", 1), ("https://localhost:8080", 0)] {
        let program = Program::start(&[("TLS_CERT", &cert), ("TLS_KEY", &key), ("PUBLIC_URL", url)]).await;
        let message = "TLS_CERT is set, but PUBLIC_URL is not https: browsers can't use cookies, and tokens name another issuer";
        assert_eq!(program.events(message).len(), warnings, "{url}");
    }
}
