//! The contract that every route of every service keeps.

use order_service::{NAME, routes};
use serde_json::json;
use test_kit::contract;

use crate::shop::shop;

#[actix_web::test]
async fn every_route_keeps_the_contract() {
    contract::check(&*shop().await, routes(), NAME).await;
}

/// `available` of a line is only for the problem details of a rejected order.
#[actix_web::test]
async fn the_document_lists_the_members_that_clients_see() {
    let document = shop().await.anonymous().get("/openapi.json").await.json();
    let schemas = &document["components"]["schemas"];
    let statuses = json!(["pending", "confirmed", "fulfilled", "rejected", "cancelled"]);
    assert_eq!(schemas["OrderStatus"]["enum"], statuses);
    let line = schemas["Line"]["properties"].as_object().unwrap();
    let members: Vec<_> = line.keys().collect();
    assert_eq!(members, ["name", "product_id", "quantity", "unit_price_cents"]);
}
