//! How people, sessions, keys and clients are kept: one table a file.

mod clients;
mod secrets;
mod sessions;
mod signing_keys;
mod users;

pub(crate) use self::clients::ClientRows;
pub(crate) use self::secrets::Secrets;
pub(crate) use self::sessions::{NewSession, Session, Sessions};
pub(crate) use self::signing_keys::SigningKeyRows;
pub(crate) use self::users::{NewUser, Users};
