//! The OpenAPI documents of the services and of the gateway.

use test_kit::{Client, contract};

use crate::sandbox::{GATEWAY, REGISTRY, Sandbox, inner_services};

#[tokio::test]
async fn each_service_serves_its_documentation_and_the_gateway_that_of_all() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    for service in inner_services() {
        for route in &REGISTRY.find(service).unwrap().routes {
            for (client, prefix) in [
                (platform.anonymous_at(service), &route.upstream_prefix),
                (platform.anonymous(), &route.prefix),
            ] {
                let page = client.get("/docs/").await;
                assert!(
                    page.assert_status(200).body.contains("<title>Swagger UI</title>"),
                    "{}",
                    page.body
                );
                let document = client.get("/openapi.json").await.assert_status(200).json();
                let mut paths = document["paths"].as_object().unwrap().keys();
                assert!(paths.any(|path| path.starts_with(prefix)), "{prefix}: {document}");
            }
        }
    }
}

/// Those of the services are compared by the services' own tests.
#[tokio::test]
async fn the_gateways_documents_are_those_in_the_repository() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    let inner = Client::new(format!("http://127.0.0.1:{}", platform.port(GATEWAY) + 1000));
    for (client, name) in [(platform.anonymous(), GATEWAY), (&inner, "gateway-inner")] {
        let document = client.get("/openapi.json").await;
        contract::check_document(document.assert_status(200).json(), name);
    }
}
