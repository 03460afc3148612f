//! Tests of order-service over HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test panics when its setup fails"
)]

mod cancel_and_fulfil;
mod cleanup;
mod concurrency;
mod crashes;
mod database;
mod every_route;
mod fake_inventory;
mod fault_proxy;
mod idempotency;
mod invariants;
mod listing;
mod neighbours;
mod outages;
mod placing;
mod property;
mod purchases;
mod refusals;
mod replicas;
mod shop;
mod strategies;
