//! The behaviour that all services share, tested over HTTP with a small service.
#![expect(
    clippy::expect_used,
    reason = "a test fails where an expectation does not hold"
)]

mod background;
mod bodies;
mod common_routes;
mod conditional;
mod connections;
mod deadlines;
mod gate;
mod hosts;
mod neighbour_calls;
mod queries;
mod refusals;
mod request_ids;
mod stopping;
mod test_service;
mod upgrades;
mod wire;
