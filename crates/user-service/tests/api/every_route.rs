//! What holds on every route.

use test_kit::{documented, hostile, matrix};
use user_service::routes;

use crate::{service, service_of_a_shared_secret};

#[actix_web::test]
async fn every_route_lets_in_whom_its_policy_says() {
    matrix::check(&service_of_a_shared_secret().await, routes()).await;
}

#[actix_web::test]
async fn every_route_has_an_answer_to_hostile_input() {
    hostile::check(&service_of_a_shared_secret().await, routes()).await;
}

#[actix_web::test]
async fn the_openapi_document_is_the_routes() {
    documented::check(service().await.nobody(), routes()).await;
}

#[actix_web::test]
async fn a_service_says_how_it_is() {
    let service = service().await;
    service.nobody().get("/health/live").await.assert_status(200);
    service.nobody().get("/health/ready").await.assert_status(200);
}
