//! The functions that `fuzz/` runs: one per target, which takes any bytes and panics if a rule of this crate does not hold.
//!
//! The rules concern private parts of the crate, so they are checked here and not in `fuzz/`. cargo-fuzz sets `cfg(fuzzing)`, so no
//! build of an application has this module, and no feature of the public API exists for it. Tests compile it too, and run each target
//! with the inputs in `fuzz/corpus`, without cargo-fuzz and without a nightly compiler.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a rule that does not hold must panic"
)]

mod events;
mod jwks;
mod token;

pub(crate) use self::events::check_event;
pub use self::events::{feed_event, nats_message};
pub use self::jwks::jwks;
pub use self::token::token;
pub use crate::feed::fuzzing::server_sent_events;

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Runs a target with its seeds.
    fn run(target: &str, function: fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
        let seeds: Vec<_> = std::fs::read_dir(corpus.join(target)).unwrap().collect();
        assert!(!seeds.is_empty(), "{target} has no seeds");
        for seed in seeds {
            let path = seed.unwrap().path();
            // Shown if the test fails.
            println!("{}", path.display());
            function(&std::fs::read(path).unwrap());
        }
    }

    #[test]
    fn each_target_accepts_its_seeds() {
        run("token", super::token);
        run("jwks", super::jwks);
        run("feed_event", super::feed_event);
        run("nats_message", super::nats_message);
        run("server_sent_events", super::server_sent_events);
    }
}
