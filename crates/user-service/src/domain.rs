//! The rules: what an address and a password are, what a person is, how refresh tokens follow one another. No database, no
//! HTTP.

mod email;
pub(crate) mod password;
mod refresh_token;
mod user;

pub use self::email::EmailAddress;
pub(crate) use self::refresh_token::{RefreshToken, Successors};
pub(crate) use self::user::{Account, User};
