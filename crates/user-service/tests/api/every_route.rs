//! What holds on every route.

use db::on;
use test_kit::{TestService, documented, hostile, matrix};
use user_service::routes;
use uuid::Uuid;

use crate::database::database;
use crate::oauth::CLIENT;
use crate::{random_secret, service, service_with_shared_secret_and};

/// A service that believes tokens of the test's own making, and knows a client.
async fn service_with_a_client() -> TestService {
    let secret = random_secret();
    let service = service_with_shared_secret_and(&[("ORDER_SERVICE_SECRET", &secret)]).await;
    add_the_tests_admin(&service).await;
    service.with_client(CLIENT, &secret)
}

/// An admin's token alone is not enough to change people: whoever bears it has to be one still. Its epoch is far ahead of the
/// row's, so that no route takes it back from the next one.
async fn add_the_tests_admin(service: &TestService) {
    const SQL: &str = "
        insert into users (id, email, email_key, name, roles, epoch, created_at, updated_at)
        values ($1, 'admin', 'admin', 'Admin', 'user admin', -1000, $2, $2)";
    let id: Uuid = service.person("admin", &[]).claims().sub.parse().unwrap();
    let now = service.issuer().clock().now();
    let mut tx = database(service).await.begin().await.unwrap();
    on!(tx, conn => sqlx::query(SQL).bind(id).bind(now).execute(conn).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
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
    documented::check(service().await.anonymous(), routes()).await;
}

#[actix_web::test]
async fn a_service_says_how_it_is() {
    let service = service().await;
    service.anonymous().get("/health/live").await.assert_status(200);
    service.anonymous().get("/health/ready").await.assert_status(200);
}
