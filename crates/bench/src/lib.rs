//! The code that the program `bench` and the Criterion benchmark `verify` share: tokens, and the compared ways to verify them.

pub mod tokens;
pub mod verification;

/// Why a measurement failed.
pub type Failure = Box<dyn std::error::Error>;
