//! Checks that run on every route.

use inventory_service::{NAME, routes};
use test_kit::{documented, hostile, matrix};

use crate::shop;

#[actix_web::test]
async fn every_route_enforces_its_policy() {
    matrix::check(&shop().await.service, routes()).await;
}

#[actix_web::test]
async fn every_route_survives_hostile_input() {
    hostile::check(&shop().await.service, routes()).await;
}

#[actix_web::test]
async fn the_openapi_document_lists_exactly_the_routes() {
    let shop = shop().await;
    documented::check(shop.service.anonymous(), routes()).await;
    let document = shop.service.anonymous().get("/openapi.json").await.json();
    assert_eq!(document["info"]["title"], NAME);
    assert_eq!(
        document["components"]["schemas"]["State"]["enum"],
        serde_json::json!(["reserved", "committed"])
    );
}

#[actix_web::test]
async fn health_and_metrics_are_served() {
    let shop = shop().await;
    shop.service
        .anonymous()
        .get("/health/live")
        .await
        .assert_status(200);
    shop.service
        .anonymous()
        .get("/health/ready")
        .await
        .assert_status(200);
    let metrics = shop.service.anonymous().get("/metrics").await;
    let counted = r#"http_requests_total{method="GET",route="/health/ready",status="200"}"#;
    assert!(
        metrics.assert_status(200).body.contains(counted),
        "{}",
        metrics.body
    );
}
