//! Calls to a neighbour that is slow, down, unstable or dishonest, with tokens from an endpoint that may be so too.
#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

mod circuit;
mod fake_server;
mod first_token;
mod fixture;
mod lifetimes;
mod received;
mod refused_tokens;
mod requests;
mod responses;
mod retries;
mod secrets;
mod time;
mod timeouts;
mod token_renewal;
