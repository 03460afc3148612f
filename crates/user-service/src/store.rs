//! How people, sessions and keys are kept: one table a file.

mod secrets;
mod sessions;
mod signing_keys;
mod users;

pub(crate) use self::secrets::Secrets;
pub(crate) use self::sessions::{NewSession, Session, Sessions};
pub(crate) use self::signing_keys::SigningKeyRows;
pub(crate) use self::users::{NewUser, Users};
