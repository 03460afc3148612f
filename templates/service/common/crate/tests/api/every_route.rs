//! The contract that every route of every service keeps.

use test_kit::contract;

use example_service::{NAME, routes};

use crate::service;

#[actix_web::test]
async fn every_route_keeps_the_contract() {
    contract::check(&service().await, routes(), NAME).await;
}
