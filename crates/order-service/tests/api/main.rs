//! order-service through its front door.

mod anything;
mod crashes;
mod deciding;
mod every_route;
mod ledger;
mod listing;
mod neighbours;
mod outages;
mod placing;
mod races;
mod refusals;
mod repeating;
mod replicas;
mod shop;
mod stockroom;
mod weather;
