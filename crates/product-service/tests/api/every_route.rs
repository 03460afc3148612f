//! The contract that every route of every service keeps.

use product_service::{NAME, routes};
use test_kit::contract;

use crate::shop;

#[actix_web::test]
async fn every_route_keeps_the_contract() {
    contract::check(&shop().await, routes(), NAME).await;
}
