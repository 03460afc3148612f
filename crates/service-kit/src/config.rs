//! Configuration: read once at startup from the environment and `.env`, typed, with all problems reported together.

mod auth_settings;
mod client_secret;
mod cookies;
mod env;
mod errors;
mod nats;
mod neighbours;
mod platform;
mod rate_limit;
mod registry;
mod revocation_feed;
mod roles;
mod settings;
mod strategy;
mod vars;
mod verification_keys;

pub use self::auth_settings::{AuthSettings, VerifierError};
pub use self::cookies::{CookieNames, CookieSettings};
pub use self::env::Env;
pub use self::errors::{ConfigErrors, ConfigNotes, ConfigProblem};
pub use self::nats::read_nats_url;
pub use self::neighbours::{Neighbour, Neighbours};
pub use self::rate_limit::{InvalidRateLimit, RateLimit};
pub(crate) use self::registry::reachable_ip;
pub use self::registry::{InvalidRegistry, PublicRoute, RegisteredService, Registry, TokenRule};
pub use self::revocation_feed::{FeedSettings, WhenStale};
pub use self::roles::{Role, Roles};
pub use self::settings::Settings;
pub use self::strategy::{AuthStrategy, IntrospectionClient, UserAuthentication};
pub use self::verification_keys::KeySource;
