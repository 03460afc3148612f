//! For tests: a real service on its own port with its own database, clients to call it with, and [`contract`], the checks
//! that every service has to pass.
//!
//! Tests run on SQLite, or on the PostgreSQL server that `TEST_DATABASE_URL` names.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    reason = "a test fails by panicking"
)]

mod client;
pub mod contract;
mod cookie_jar;
mod database;
mod event_stream;
mod response;
mod service;
pub mod strategies;

pub use self::client::Client;
pub use self::contract::hostile;
pub use self::cookie_jar::CookieJar;
pub use self::database::TestDatabase;
pub use self::event_stream::{EventStream, ServerSentEvent};
pub use self::response::TestResponse;
pub use self::service::{Running, TestRuntime, TestService};
