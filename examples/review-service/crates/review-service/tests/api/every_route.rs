//! The contract that every route of every service keeps.

use test_kit::contract;

use review_service::{NAME, routes};

use crate::shop;

#[actix_web::test]
async fn every_route_keeps_the_contract() {
    contract::check(&shop().await.service, routes(), NAME).await;
}
