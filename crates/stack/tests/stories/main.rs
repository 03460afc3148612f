//! Whole stories: the platform as whoever runs `stack` sees it, by its processes, ports, files and log.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops at what can't be"
)]

mod books;
mod chaos;
mod configuration;
mod crashes;
mod databases;
mod ending;
#[cfg(target_os = "linux")]
mod flood;
mod gate;
mod market;
mod order_crashes;
mod orders;
mod pipe;
mod place;
mod platform;
mod processes;
mod readme;
mod refusals;
mod secrets;
mod shop;
mod writers;

use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How long anything may take that is going to happen.
const SOON: Duration = Duration::from_secs(30);

/// Whether there is time for what takes minutes (`scripts/test --all`).
fn is_long() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests' own switch, not a service's configuration"
    )]
    std::env::var("LONG_TESTS").is_ok()
}

/// Waits until this holds.
async fn eventually(what: &str, holds: impl AsyncFnMut() -> bool) {
    within(SOON, what, holds).await;
}

/// Waits until this holds, but no longer than that.
async fn within(limit: Duration, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(
            begun.elapsed() < limit,
            "after {limit:?} it still does not hold that {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A secret of this run alone: 32 bytes in base64.
fn made_up() -> String {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).expect("randomness");
    STANDARD.encode(bytes)
}
