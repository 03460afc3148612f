//! order-service through its front door.

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
mod shop;
mod stockroom;
mod weather;
