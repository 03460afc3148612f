//! What holds on every route.

use test_kit::{TestService, documented, hostile, matrix};
use user_service::routes;

use crate::oauth::CLIENT;
use crate::{made_up, service, service_of_a_shared_secret_with};

/// A service that believes tokens of the test's own making, and knows a client.
async fn service_with_a_client() -> TestService {
    let secret = made_up();
    let service = service_of_a_shared_secret_with(&[("ORDER_SERVICE_SECRET", &secret)]).await;
    service.with_client(CLIENT, &secret)
}

#[actix_web::test]
async fn every_route_lets_in_whom_its_policy_says() {
    matrix::check(&service_with_a_client().await, routes()).await;
}

#[actix_web::test]
async fn every_route_has_an_answer_to_hostile_input() {
    hostile::check(&service_with_a_client().await, routes()).await;
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
