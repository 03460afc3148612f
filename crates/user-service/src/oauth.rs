//! The common parts of the OAuth endpoints: the authentication of clients, and the forms of requests and errors that OAuth defines
//! (RFC 6749 §5). The clients are other services. The endpoints themselves are in `routes`.
//!
//! - `clients` authenticates a client; `basic` reads its header, `configured_clients` its secret in the configuration.
//! - `request` reads the parameters that several endpoints share; `error` has the errors in the form of RFC 6749 §5.2.
//!
//! A client secret is accepted in the header only, never in the body.

mod basic;
mod clients;
mod configured_clients;
mod error;
mod request;

pub(crate) use self::clients::{Client, Clients};
pub use self::configured_clients::ClientSecretHashes;
pub(crate) use self::error::{OAuthError, no_store};
pub(crate) use self::request::{TokenForm, check_client_parameters};
