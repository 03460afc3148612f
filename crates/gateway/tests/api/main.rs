//! The gateway from outside: real sockets on both sides, and a backend that records what reaches it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a failed expectation fails the test"
)]

mod backend;
mod bodies;
mod browsers;
mod certificate;
mod client;
mod configuration;
mod documents;
mod faults;
mod framing;
mod headers;
mod http2;
mod http2_client;
mod http2_frames;
mod identity;
mod identity_tokens;
mod limits;
mod metrics;
mod paths;
mod program;
mod reload;
mod session_cookies;
mod test_gateway;
mod tls;
mod web_sockets;
