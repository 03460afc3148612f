//! Every route of the service. The type of a handler's first argument is its policy.

pub(crate) mod about;
pub(crate) mod admin;
pub(crate) mod service;
pub(crate) mod user;

use auth::Routes;

/// The service's routes.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .get("/examples/public", about::about)
        .get("/examples/user", user::user)
        .get("/examples/admin", admin::admin)
        .get("/internal/examples/service", service::service)
}
