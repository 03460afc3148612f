//! Users, their sessions and their tokens. This is the only service that stores passwords, opens and ends sessions, and signs
//! tokens; every other service only verifies what this one signed.
//!
//! Where to look:
//!
//! - `routes` lists every URL and its handler; `routes/…` has one use case per file.
//! - `passwords` checks, hashes and throttles passwords.
//! - `sessions` opens, refreshes and ends sessions, and revokes their tokens.
//! - `tokens` signs tokens and keeps the signing keys.
//! - `oauth` authenticates services and answers in OAuth's own forms.
//! - `admin` protects the role `admin`; `cleanup` deletes expired rows; `email_keys` computes keys of email addresses at start.
//! - `domain` holds the rules, `store` the SQL statements, one table per file.
//! - `startup` puts all of it together.

mod admin;
mod cleanup;
mod config;
mod context;
mod docs;
mod domain;
mod email_keys;
mod error;
mod oauth;
mod passwords;
mod random;
mod routes;
mod sessions;
pub mod startup;
mod store;
mod tokens;

use std::process::ExitCode;

use service_kit::StandardInput;

pub use self::config::{Config, FirstAdmin};
pub use self::docs::handlers;
pub use self::domain::{Lifetimes, NAME, SigningAlgorithm};
pub use self::oauth::ClientSecrets;
pub use self::passwords::HashingConfig;
pub use self::routes::routes;
pub use self::tokens::KeyEncryptionKey;

/// Runs the service with the configuration in the environment until it is asked to stop.
#[must_use]
pub fn launch(input: StandardInput) -> ExitCode {
    service_kit::launch(NAME, Config::read, startup::run, input)
}
