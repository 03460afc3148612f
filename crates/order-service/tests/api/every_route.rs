//! Checks that run on every route.

use order_service::{NAME, routes};
use serde_json::json;
use test_kit::{documented, hostile, matrix};

use crate::shop::shop;

#[actix_web::test]
async fn every_route_enforces_its_policy() {
    matrix::check(&shop().await.service, routes()).await;
}

#[actix_web::test]
async fn every_route_survives_hostile_input() {
    let shop = shop().await;
    hostile::check(&shop, routes()).await;
    hostile::paging(&shop.user("ada"), "/orders").await;
}

#[actix_web::test]
async fn the_openapi_document_lists_exactly_the_routes() {
    let shop = shop().await;
    documented::check(shop.anonymous(), routes()).await;
    let document = shop.anonymous().get("/openapi.json").await.json();
    assert_eq!(document["info"]["title"], NAME);
    let statuses = json!(["pending", "confirmed", "fulfilled", "rejected", "cancelled"]);
    assert_eq!(document["components"]["schemas"]["OrderStatus"]["enum"], statuses);
    let line = document["components"]["schemas"]["Line"]["properties"]
        .as_object()
        .unwrap();
    assert_eq!(
        line.keys().collect::<Vec<_>>(),
        ["name", "product_id", "quantity", "unit_price_cents"]
    );
}

#[actix_web::test]
async fn health_and_metrics_are_served() {
    let shop = shop().await;
    shop.anonymous().get("/health/live").await.assert_status(200);
    shop.anonymous().get("/health/ready").await.assert_status(200);
    let metrics = shop.anonymous().get("/metrics").await;
    let counted = r#"http_requests_total{method="GET",route="/health/ready",status="200"}"#;
    assert!(
        metrics.assert_status(200).body.contains(counted),
        "{}",
        metrics.body
    );
}
