//! order-service through its front door.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at what can't be"
)]

mod anything;
mod crashes;
mod deciding;
mod every_route;
mod forgetting;
mod ledger;
mod listing;
mod neighbours;
mod outages;
mod placing;
mod promises;
mod races;
mod refusals;
mod repeating;
mod replicas;
mod shop;
mod stockroom;
mod weather;
