//! The contract that every route of every service keeps.

use db::on;
use test_kit::{TestService, contract};
use user_service::{NAME, routes};
use uuid::Uuid;

use crate::database::database;
use crate::oauth::CLIENT;
use crate::{random_secret, service_with_shared_secret_and};

#[actix_web::test]
async fn every_route_keeps_the_contract() {
    let secret = random_secret();
    let service = service_with_shared_secret_and(&[("ORDER_SERVICE_SECRET", &secret)]).await;
    add_admin(&service).await;
    contract::check(&service.with_registered_client(CLIENT, &secret), routes(), NAME).await;
}

/// Routes for admins also require that the admin is one in the database. The epoch there is far below the token's, so that
/// no request of the check revokes the token that the next one uses.
async fn add_admin(service: &TestService) {
    const SQL: &str = "
        insert into users (id, email, email_key, name, roles, epoch, created_at, updated_at)
        values ($1, 'admin@example.com', 'admin@example.com', 'Admin', 'user admin', -1000, $2, $2)";
    let id: Uuid = service.user_token("admin", &[]).claims().sub.parse().unwrap();
    let now = service.issuer().clock().now();
    let mut tx = database(service).await.begin().await.unwrap();
    on!(tx, conn => sqlx::query(SQL).bind(id).bind(now).execute(conn).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
}
