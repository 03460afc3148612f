//! The gateway: the only program that clients reach. It verifies access tokens, applies the rules of `services.toml`, removes what
//! clients must not set, and forwards requests to the services. It owns no data.
//!
//! It is a program of hyper and not of actix-web, because forwarding is all that it does: docs/decisions/0014 has the figures.
//!
//! A request passes through `connection` (TLS and HTTP), `handle` (the rules, in order), `forward` or `tunnel`, and `upstream`.
//! `startup` assembles the gateway, with a worker thread for each core.

mod body;
mod config;
mod connection;
mod cookies;
mod cors;
mod deadline;
mod documents;
mod forward;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod headers;
mod identity;
mod pages;
mod path;
mod phase;
mod rate_limits;
mod record;
mod refusal;
mod request_facts;
pub mod startup;
mod table;
mod tls;
mod tunnel;
mod upstream;
mod watched_stream;
mod worker;

use std::process::ExitCode;

use service_kit::StandardInput;

pub use self::config::Config;

/// The gateway's name: of its program and its row in the registry.
pub const NAME: &str = "gateway";

/// Reads the configuration from the environment and runs the gateway until it is asked to stop.
#[must_use]
pub fn launch(input: StandardInput) -> ExitCode {
    service_kit::launch(NAME, Config::read, startup::run, input)
}
