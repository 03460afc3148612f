//! Users, their sessions and their tokens. This is the only service that stores passwords, opens and ends sessions, and signs
//! tokens; every other service only verifies these tokens.
//!
//! Where to look:
//!
//! - `routes` lists every URL with its handler; each file in `routes/` has one use case.
//! - `passwords` checks, hashes and throttles passwords.
//! - `sessions` opens, refreshes and ends sessions, and revokes tokens.
//! - `cookies` keeps sessions in the cookies of browsers.
//! - `feed` publishes revocations to all verifiers.
//! - `tokens` signs tokens and keeps the signing keys; `key_rotation` replaces them.
//! - `mail` sends mails to users: links and notices.
//! - `openid` logs users in with accounts of OpenID providers, such as Google.
//! - `oauth` authenticates services and answers in the forms that OAuth defines.
//! - `registration` adds users; `reclaim` hands a user to the owner of its email address.
//! - `admin` protects the role `admin`; `cleanup` deletes expired rows, except sessions (see `sessions::open`).
//! - `domain` holds the rules, `store` the SQL statements, one topic per file.
//! - `startup` connects these parts, and computes missing comparison keys of email addresses.

mod admin;
mod cleanup;
mod config;
mod context;
mod cookies;
mod docs;
mod domain;
mod error;
mod feed;
mod key_rotation;
mod mail;
mod oauth;
mod openid;
mod passwords;
mod random;
mod reclaim;
mod registration;
mod routes;
mod sessions;
pub mod startup;
mod store;
mod tokens;

use std::process::ExitCode;

use service_kit::StandardInput;

pub use self::config::{Config, FirstAdmin};
pub use self::docs::openapi;
pub use self::domain::{Lifetimes, NAME, SigningAlgorithm};
pub use self::mail::MailConfig;
pub use self::oauth::ClientSecretHashes;
pub use self::openid::ProviderConfig;
pub use self::passwords::HashingConfig;
pub use self::routes::routes;
pub use self::tokens::KeyEncryptionKey;

/// Runs the service until it is asked to stop, configured by environment variables.
#[must_use]
pub fn launch(input: StandardInput) -> ExitCode {
    service_kit::launch(NAME, Config::read, startup::run, input)
}
