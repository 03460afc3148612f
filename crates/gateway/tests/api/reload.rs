//! SIGHUP: the gateway reads its routes, the roles and its certificate again, and keeps what did not change.

use std::fs;

use auth::testing::{Issuer, Publisher};
use tempfile::NamedTempFile;

use crate::certificate::Certificate;
use crate::client::eventually;
use crate::program::Program;
use crate::test_gateway::ROUTES;

/// The routes of the tests, with one more.
fn more_routes() -> String {
    let added = r#"
        [[service.route]]
        prefix = "/api/added"
        upstream_prefix = "/added"
        token = "ignored"
    "#;
    format!("{ROUTES}{added}")
}

#[actix_web::test]
async fn rate_limits_and_open_circuits_survive_a_reload() {
    let program = Program::start(&[]).await;
    let client = program.client();
    for _ in 0..6 {
        client
            .get("/api/limited", &[])
            .await
            .assert_forwarded("anonymous");
    }
    for _ in 0..10 {
        client
            .get("/api/products/reset", &[])
            .await
            .assert_problem(502, "upstream_unavailable");
    }
    client
        .get("/api/added", &[])
        .await
        .assert_problem(404, "not_found");
    let requests = || {
        let received = program.backend.received();
        let to_products = received
            .iter()
            .filter(|received| received.target().contains("/products"));
        to_products.count()
    };
    let before = requests();

    fs::write(program.services_file(), more_routes()).unwrap();
    program.reload().await;
    client
        .get("/api/limited", &[])
        .await
        .assert_problem(429, "rate_limited");
    // The circuit is that of the service, so it holds for the added route, too.
    for path in ["/api/products", "/api/added"] {
        client.get(path, &[]).await.assert_problem(503, "circuit_open");
    }
    client.get("/auth/login", &[]).await.assert_forwarded("anonymous");
    assert_eq!(requests(), before);

    // A limit that changed begins with new counts. So the request comes as far as the circuit.
    fs::write(program.services_file(), more_routes().replace("3/m", "4/m")).unwrap();
    program.reload().await;
    client
        .get("/api/limited", &[])
        .await
        .assert_problem(503, "circuit_open");
}

#[actix_web::test]
async fn a_reload_replaces_the_roles() {
    let secret = uuid::Uuid::new_v4().to_string();
    let issuer = Issuer::with_secret("gateway", &secret);
    let publisher = Publisher::start(&issuer);
    let roles = NamedTempFile::new().unwrap();
    let write = |names: [&str; 2]| {
        let lines = names.map(|name| format!("[[role]]\nname = \"{name}\"\nscopes = []\n"));
        fs::write(roles.path(), lines.concat()).unwrap();
    };
    write(["user", "admin"]);
    let program = Program::start(&[
        ("JWT_SECRET", &secret),
        ("USER_SERVICE_URL", publisher.origin()),
        ("AUTH_ISSUER", issuer.issuer()),
        ("ROLES_FILE", roles.path().to_str().unwrap()),
    ])
    .await;
    let bearer = format!("authorization: Bearer {}", issuer.as_admin().token());
    program.becomes_ready().await;
    let highest = async || {
        let answer = program.client().get("/api/orders", &[&bearer]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        program.backend.last().header("x-user-role").map(str::to_owned)
    };
    assert_eq!(highest().await.as_deref(), Some("admin"));
    write(["admin", "user"]);
    program.reload().await;
    assert_eq!(highest().await.as_deref(), Some("user"));
}

#[actix_web::test]
async fn a_reload_replaces_the_certificate_and_a_wrong_one_is_not_used() {
    let (old, new) = (Certificate::new(), Certificate::new());
    let (cert_file, key_file) = (old.cert_file(), old.key_file());
    let program = Program::start(&[
        ("TLS_CERT", cert_file.to_str().unwrap()),
        ("TLS_KEY", key_file.to_str().unwrap()),
    ])
    .await;
    let accepts = async |certificate: &Certificate| {
        let stream = program.client().connect().await;
        certificate.connect(stream).await.is_ok()
    };
    assert!(accepts(&old).await && !accepts(&new).await);

    // Without the key that belongs to the certificate.
    fs::write(&cert_file, new.pem()).unwrap();
    program.send_sighup();
    let message = "the new configuration is invalid; keeping the old one";
    eventually(|| !program.events(message).is_empty()).await;
    let problem = program.events(message)[0]["problem"].to_string();
    assert!(
        problem.contains("TLS_CERT and TLS_KEY can't be used"),
        "{problem}"
    );
    assert!(accepts(&old).await && !accepts(&new).await);

    fs::write(&key_file, new.key_pem()).unwrap();
    program.reload().await;
    assert!(accepts(&new).await && !accepts(&old).await);
}
