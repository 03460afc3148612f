//! The rules: what an email address and a password may be, when a session is live, how refresh tokens follow one another, how
//! many failed logins are free. No database access and no HTTP.

mod allowance;
mod audit;
mod client_secret;
mod digest;
mod email;
mod lifetimes;
mod network;
pub(crate) mod password;
mod refresh_token;
mod session;
mod signing_key;
mod user;

pub(crate) use self::allowance::Allowance;
pub(crate) use self::audit::{AuditRecord, Entry, Event};
pub(crate) use self::client_secret::SecretHash;
pub(crate) use self::digest::sha256;
pub use self::email::EmailAddress;
pub(crate) use self::lifetimes::LEEWAY;
pub use self::lifetimes::Lifetimes;
pub(crate) use self::network::Network;
pub(crate) use self::refresh_token::{RefreshToken, Successors};
pub(crate) use self::session::{EndedSession, ListedSession, Session, SessionWithUser};
pub use self::signing_key::SigningAlgorithm;
pub(crate) use self::signing_key::{KeyState, SigningKey};
pub(crate) use self::user::{Account, UserResponse, UsersRead};

/// The service's name: its program, its audience and its entry in `services.toml`.
pub const NAME: &str = "user-service";
