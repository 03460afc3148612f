//! The OAuth side of this service, for services as clients: authentication by client secret, and requests and errors in OAuth's own
//! forms, which differ from the platform's (RFC 6749 §5).
//!
//! - `clients` authenticates a client; `basic` reads its header, `client_secret` its configured secret.
//! - `request` reads the parameters that several endpoints share; `error` answers in the form of RFC 6749 §5.2.
//!
//! A client secret is accepted in the header only, never in the body.

mod basic;
mod client_secret;
mod clients;
mod error;
mod request;

pub use self::client_secret::ClientSecrets;
pub(crate) use self::clients::{Client, Clients};
pub(crate) use self::error::{OAuthError, no_store};
pub(crate) use self::request::{TokenQuery, check_client_parameters};
