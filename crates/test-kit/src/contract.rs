//! The checks that every service has to pass: its list of routes and policies, the callers that each route admits, the
//! responses to hostile input, and an OpenAPI document that is valid and describes every response.

mod description;
mod document;
pub mod hostile;
mod matrix;
mod openapi_snapshot;
mod snapshot;
mod target;

use auth::Routes;
use serde_json::Value;
use service_kit::common_routes;

use self::document::Document;
use self::target::Target;
use crate::service::TestService;

/// Checks a running service against its routes. `name` is the service's name, which is also the name of its crate.
///
/// The routes must be those of the snapshot `tests/api/routes.txt` in that crate, and the document must equal `openapi/<name>.json`, unless
/// [`writes_documents`] says that both are to be written. A service with routes for registered clients needs
/// [`TestService::with_registered_client`].
pub async fn check(service: &TestService, routes: Routes, name: &str) {
    snapshot::check(&routes, name);
    let document = Document::fetch(service.anonymous()).await;
    document.check(name, &routes);
    check_common_routes(service).await;

    let routes = routes.merge(common_routes());
    document.check_paths(&routes);
    for route in routes.iter() {
        let target = Target {
            service,
            document: &document,
            route,
        };
        matrix::check(&target).await;
        hostile::check(&target).await;
    }
    hostile::check_outside_routes(service).await;
}

/// Checks a document of the gateway: that it is valid and complete, and that it equals `openapi/<name>.json`, unless
/// [`writes_documents`] says that this file is to be written.
pub fn check_document(document: Value, name: &str) {
    Document::new(document).check_content(name);
}

/// Whether tests write the committed documents instead of comparing them. `scripts/write-documents` sets `WRITE_DOCUMENTS`.
#[expect(clippy::disallowed_methods, reason = "configures the tests, not a service")]
pub fn writes_documents() -> bool {
    std::env::var_os("WRITE_DOCUMENTS").is_some()
}

/// Health, metrics and the documentation page.
async fn check_common_routes(service: &TestService) {
    let client = service.anonymous();
    client.get("/health/live").await.assert_status(200);
    client.get("/health/ready").await.assert_status(200);
    client.get("/docs/").await.assert_status(200);

    let metrics = client.get("/metrics").await;
    let sample = r#"http_requests_total{method="GET",route="/health/ready",status="200"}"#;
    assert!(
        metrics.assert_status(200).body.contains(sample),
        "/metrics lacks {sample}: {}",
        metrics.body
    );
}
