//! Checks that run on every route.

use product_service::{NAME, routes};
use test_kit::{documented, hostile, matrix};

use crate::shop;

#[actix_web::test]
async fn every_route_enforces_its_policy() {
    matrix::check(&shop().await, routes()).await;
}

#[actix_web::test]
async fn every_route_survives_hostile_input() {
    let shop = shop().await;
    hostile::check(&shop, routes()).await;
    hostile::paging(shop.anonymous(), "/products").await;
}

#[actix_web::test]
async fn the_openapi_document_lists_exactly_the_routes() {
    let shop = shop().await;
    documented::check(shop.anonymous(), routes()).await;
    assert_eq!(
        shop.anonymous().get("/openapi.json").await.json()["info"]["title"],
        NAME
    );
}

#[actix_web::test]
async fn health_and_metrics_are_served() {
    let shop = shop().await;
    shop.anonymous().get("/health/live").await.assert_status(200);
    shop.anonymous().get("/health/ready").await.assert_status(200);
    let metrics = shop.anonymous().get("/metrics").await;
    assert!(
        metrics
            .assert_status(200)
            .body
            .contains(r#"http_requests_total{method="GET",route="/health/ready",status="200"}"#),
        "{}",
        metrics.body
    );
}
