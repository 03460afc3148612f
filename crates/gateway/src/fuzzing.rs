//! The functions that `fuzz/` runs: one per target, which takes any bytes and panics if a rule of the gateway does not hold.
//!
//! The rules concern private parts of the crate, so they are checked here and not in `fuzz/`. cargo-fuzz sets `cfg(fuzzing)`, so the
//! gateway itself does not contain this module, and no feature is needed. Tests compile it too, and run each target with the inputs in
//! `fuzz/corpus`, without cargo-fuzz and without a nightly compiler.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a rule that does not hold must panic"
)]

mod credentials;
mod headers;
mod paths;

use std::sync::LazyLock;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use service_kit::{Env, Settings};

pub use self::credentials::credentials;
pub use self::headers::{request_headers, response_headers};
pub use self::paths::paths;
use crate::NAME;
use crate::headers::MAX_HEADERS;
use crate::table::Table;

/// The routes of the built-in registry.
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut env = Env::from_vars(NAME, []);
    let settings = Settings::read(&mut env, NAME);
    Table::read(&mut env, &settings, &Table::default())
});

/// Reads lines `name: value`. `None` if there are more headers than a request may have.
fn read_headers(lines: &[u8]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii_start());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    (headers.len() <= MAX_HEADERS).then_some(headers)
}

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
        run("paths", super::paths);
        run("request_headers", super::request_headers);
        run("response_headers", super::response_headers);
        run("credentials", super::credentials);
    }
}
