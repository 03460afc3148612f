//! The rules: which email addresses and passwords are valid, when a session is live, how the successor of a refresh token is
//! derived, how many failed logins are allowed, when signing keys are rotated, when mails are sent again. There are no queries and
//! no handlers; types carry their database and API mappings.

mod allowance;
mod audit;
mod client_secret;
mod digest;
mod email;
mod identity;
mod key_rotation;
mod known_verifier;
mod lifetimes;
mod login_method;
mod mail;
mod mail_token;
mod network;
pub(crate) mod password;
mod provider_account;
mod refresh_token;
mod return_to;
mod rotation_request;
mod session;
mod signing_key;
mod user;

pub(crate) use self::allowance::Allowance;
pub(crate) use self::audit::{AuditRecord, Entry, Event, Origin};
pub(crate) use self::client_secret::SecretHash;
pub(crate) use self::digest::sha256;
pub use self::email::EmailAddress;
pub(crate) use self::identity::Identity;
pub(crate) use self::key_rotation::{
    MAX_RETIRING, StoredKeys, announced_until, key_revoked_until, retiring_until,
};
pub(crate) use self::known_verifier::{KeyIds, KnownVerifier, Laggards, verifiers_seen_since};
pub use self::lifetimes::Lifetimes;
pub(crate) use self::lifetimes::{MAX_CLOCK_DIFFERENCE, MAX_LEEWAY};
pub(crate) use self::login_method::LoginMethod;
pub(crate) use self::mail::{
    Cause, GIVEN_UP_AFTER, MAIL_LEASE, MAX_LINKED_MAILS, MAX_SENT, MailKind, SENT_WINDOW, SHORT_DELAY,
    TokenPurpose, next_attempt_at,
};
pub(crate) use self::mail_token::MailToken;
pub(crate) use self::network::{NETWORK_LIFETIME, Network};
pub(crate) use self::provider_account::{AccountLinking, ProviderAccount, display_name};
pub(crate) use self::refresh_token::{RefreshToken, SuccessorKey};
pub(crate) use self::return_to::ReturnTo;
pub(crate) use self::rotation_request::RotationRequest;
pub(crate) use self::session::{EndedSession, ListedSession, Session, SessionWithUser};
pub use self::signing_key::SigningAlgorithm;
pub(crate) use self::signing_key::{KeyState, SigningKey};
pub(crate) use self::user::{Account, UserResponse, UsersRead};

/// The name of the service, which is also the name of its program, its audience and its entry in `services.toml`.
pub const NAME: &str = "user-service";
