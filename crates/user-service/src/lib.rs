//! Who people are. The one service that has their passwords, opens and ends their sessions, and signs tokens for them; every
//! other service only verifies what this one signed.
//!
//! To read it: `routes` lists every URL and its handler, `routes/…` has one use case a file, `domain` holds the rules
//! (addresses, passwords, refresh tokens), `throttle` and `hashing` what stands between a guesser and a password, `login`,
//! `rotations` and `endings` how a session begins, goes on and ends, `clients` the services and their secrets, `keys` what signs,
//! `store` how it is all kept.

mod admin;
mod call;
mod clients;
mod config;
mod docs;
mod domain;
mod email_keys;
mod endings;
mod error;
mod hashing;
mod housekeeping;
mod keys;
mod login;
mod mint;
mod oauth;
mod passwords;
mod rotations;
mod routes;
pub mod startup;
mod store;
mod throttle;

use std::process::ExitCode;

use service_kit::StandardInput;

pub use self::clients::ClientSecrets;
pub use self::config::{Config, FirstAdmin, HashingConfig, Lifetimes};
pub use self::docs::handlers;
pub use self::keys::KeyEncryptionKey;
pub use self::routes::routes;

/// The service's name: its program's, its audience's, its row's in the register.
pub const NAME: &str = "user-service";

/// Runs the service, configured by the environment, until it is told to stop.
#[must_use]
pub fn launch(input: StandardInput) -> ExitCode {
    service_kit::launch(NAME, Config::read, startup::run, input)
}
