//! The contract that every route of every service keeps.

use inventory_service::{NAME, routes};
use serde_json::json;
use test_kit::contract;

use crate::shop;

#[actix_web::test]
async fn every_route_keeps_the_contract() {
    contract::check(&shop().await.service, routes(), NAME).await;
}

/// A refused or released reservation is answered with an error, so clients never see those states.
#[actix_web::test]
async fn the_document_lists_the_states_that_clients_see() {
    let document = shop().await.service.anonymous().get("/openapi.json").await.json();
    let states = &document["components"]["schemas"]["State"]["enum"];
    assert_eq!(states, &json!(["reserved", "committed"]));
}
