//! The rules: what an address and a password are, what a person is, how many failures are free, how refresh tokens follow one another. No database, no
//! HTTP.

mod allowance;
mod audit;
mod email;
mod network;
pub(crate) mod password;
mod refresh_token;
mod user;

pub(crate) use self::allowance::Allowance;
pub(crate) use self::audit::{AuditRecord, Entry, Event};
pub use self::email::EmailAddress;
pub(crate) use self::network::Network;
pub(crate) use self::refresh_token::{RefreshToken, Successors, sha256};
pub(crate) use self::user::{Account, User, UsersRead};
