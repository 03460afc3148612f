//! Configuration: read once at start from the environment and `.env`, typed, and with all its problems reported together.

mod env;
mod neighbours;
mod register;
mod roles;
mod settings;

pub use self::env::{ConfigErrors, ConfigProblem, Env};
pub use self::neighbours::{Neighbour, Neighbours};
pub use self::register::{Register, RegisteredService};
pub use self::roles::{Role, Roles};
pub use self::settings::{AuthSettings, KeySource, Settings};
