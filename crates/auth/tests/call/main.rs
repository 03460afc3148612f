//! Calling a neighbour that is slow, dead, flapping or dishonest, with tokens from an endpoint that may be so too.
#![expect(clippy::unwrap_used, reason = "a test stops at what can't be")]

mod answers;
mod circuit;
mod ends;
mod fake;
mod first_token;
mod heard;
mod house;
mod refused;
mod renewal;
mod repeats;
mod secrets;
mod sends;
mod timeouts;
