//! For tests: a real service on a port of its own, with a database of its own, and people to call it as. And what has to hold
//! on every route of every service: [`matrix`] (who may call), [`hostile`] (what nobody may send), [`documented`].
//!
//! Tests run on SQLite, or on the PostgreSQL server that `TEST_DATABASE_URL` names.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    reason = "a test stops at what can't be"
)]

mod answer;
mod client;
mod database;
pub mod documented;
pub mod hostile;
pub mod matrix;
mod service;

pub use self::answer::TestResponse;
pub use self::client::Client;
pub use self::database::TestDatabase;
pub use self::service::{Running, TestRuntime, TestService};
