//! SQL statements, one topic per file, and the migrations. The rules are in `domain`.
//!
//! A type such as [`UserRows`] wraps a connection. Its methods run the statements of one topic.

mod admin_guard;
mod audit_log;
mod clients;
mod email_keys;
mod feed_generations;
#[cfg(test)]
pub(crate) mod fixtures;
mod identities;
mod login_failures;
mod login_networks;
mod mail_tokens;
mod outbox;
mod revocations;
mod rotations;
mod secrets;
mod sessions;
mod signing_keys;
mod used_logins;
mod users;
mod verifiers;

use db::Migrations;

pub(crate) use self::admin_guard::AdminLock;
pub(crate) use self::audit_log::AuditLogRows;
pub(crate) use self::clients::ClientRows;
pub(crate) use self::email_keys::{AccountWithoutComparisonKey, ComputedColumns, EmailKeyRows};
pub(crate) use self::feed_generations::{GenerationRow, GenerationRows};
pub(crate) use self::identities::{IdentityRows, NewIdentity};
pub(crate) use self::login_failures::LoginFailureRows;
pub(crate) use self::login_networks::{KnownNetworks, LoginNetworkRows};
pub(crate) use self::mail_tokens::MailTokenRows;
pub(crate) use self::outbox::{LeasedMail, NewMail, OutboxRows};
pub(crate) use self::revocations::{FeedRow, RevocationRows};
pub(crate) use self::rotations::{Rotation, RotationRows, RotationTimes};
pub(crate) use self::secrets::SecretRows;
pub(crate) use self::sessions::{NewSession, SessionRows};
pub(crate) use self::signing_keys::SigningKeyRows;
pub(crate) use self::used_logins::UsedLoginRows;
pub(crate) use self::users::{NewUser, UserChange, UserRows};
pub(crate) use self::verifiers::VerifierRows;

/// The schema of this service's database.
pub(crate) static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../../migrations/user-service/sqlite"),
    postgres: sqlx::migrate!("../../migrations/user-service/postgres"),
};
