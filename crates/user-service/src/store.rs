//! How people, sessions, keys, clients and the audit log are kept: one table a file.

mod admin_guard;
mod audit_log;
mod clients;
mod email_keys;
mod login_failures;
mod login_networks;
mod revocations;
mod secrets;
mod sessions;
mod signing_keys;
mod users;

pub(crate) use self::admin_guard::AdminGuard;
pub(crate) use self::audit_log::AuditLog;
pub(crate) use self::clients::ClientRows;
pub(crate) use self::email_keys::{EmailKeys, NewKey, UnkeyedAccount};
pub(crate) use self::login_failures::LoginFailures;
pub(crate) use self::login_networks::LoginNetworks;
pub(crate) use self::revocations::RevocationRows;
pub(crate) use self::secrets::Secrets;
pub(crate) use self::sessions::{
    BorneSession, EndedSession, NewSession, OpenSession, Rotation, RotationTimes, Session, Sessions,
};
pub(crate) use self::signing_keys::SigningKeyRows;
pub(crate) use self::users::{NewUser, UserChange, Users};
