//! Tests of the whole platform as an operator of `stack` sees it: processes, ports, files and log.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failed expectation fails the test"
)]

mod access;
mod audit;
mod authorization;
mod chaos;
#[cfg(target_os = "linux")]
mod client_addresses;
mod configuration;
mod crashes;
mod databases;
mod discovery;
mod documents;
mod drain;
mod fault_proxy;
mod feed_faults;
#[cfg(target_os = "linux")]
mod flood;
mod identity_headers;
mod operations;
mod order_crashes;
mod orders;
mod output;
mod platform;
mod processes;
mod public_routes;
mod reload;
mod revocation;
mod sample_routes;
mod sandbox;
mod secrets;
mod session_cookies;
mod shop;
mod shutdown;
mod startup_failures;
mod strategies;
mod trader;
mod usage;
mod writers;

use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The deadline for expected events.
const DEADLINE: Duration = Duration::from_secs(30);
/// The time that a busy machine may add to those in `docs/revocation.md`.
const BUSY: Duration = Duration::from_secs(2);

/// Whether long tests run at full length (`scripts/test --all`).
fn is_long() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "this variable controls the tests and configures no service"
    )]
    std::env::var("LONG_TESTS").is_ok()
}

/// Waits until the condition holds, at most [`DEADLINE`].
async fn eventually(condition: &str, holds: impl AsyncFnMut() -> bool) {
    within(DEADLINE, condition, holds).await;
}

/// Waits until the condition holds, at most `limit`.
async fn within(limit: Duration, condition: &str, holds: impl AsyncFnMut() -> bool) {
    within_since(Instant::now(), limit, condition, holds).await;
}

/// Waits until the condition holds, at most until `limit` has passed since `start`.
async fn within_since(
    start: Instant,
    limit: Duration,
    condition: &str,
    mut holds: impl AsyncFnMut() -> bool,
) {
    while !holds().await {
        assert!(start.elapsed() < limit, "not within {limit:?}: {condition}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A new secret: 32 random bytes in base64.
fn random_secret() -> String {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).expect("randomness");
    STANDARD.encode(bytes)
}
