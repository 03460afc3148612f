//! What the program `bench` and the Criterion benchmark `verify` have in common: tokens, and the ways to verify them that are
//! compared.

pub mod tokens;
pub mod verification;

/// Why nothing could be measured, for whoever started it.
pub type Failure = Box<dyn std::error::Error>;
