//! SQL statements, one table per file, and the migrations. No rules: those are in `domain`.

mod admin_guard;
mod audit_log;
mod clients;
mod email_keys;
mod login_failures;
mod login_networks;
mod revocations;
mod rotations;
mod secrets;
mod sessions;
mod signing_keys;
mod users;

use db::Migrations;

pub(crate) use self::admin_guard::AdminGuard;
pub(crate) use self::audit_log::AuditLog;
pub(crate) use self::clients::ClientRows;
pub(crate) use self::email_keys::{EmailKeys, NewKey, UnkeyedAccount};
pub(crate) use self::login_failures::LoginFailures;
pub(crate) use self::login_networks::LoginNetworks;
pub(crate) use self::revocations::RevocationRows;
pub(crate) use self::rotations::{Rotation, RotationRows, RotationTimes};
pub(crate) use self::secrets::Secrets;
pub(crate) use self::sessions::{NewSession, SessionRows};
pub(crate) use self::signing_keys::SigningKeyRows;
pub(crate) use self::users::{NewUser, UserChange, Users};

/// The schema of this service's database.
pub(crate) static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../../migrations/user-service/sqlite"),
    postgres: sqlx::migrate!("../../migrations/user-service/postgres"),
};
