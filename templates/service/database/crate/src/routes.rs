//! Every route of the service. The type of a handler's first argument is its policy.

pub(crate) mod count;
pub(crate) mod list;
pub(crate) mod read;
pub(crate) mod report;
pub(crate) mod write;

use auth::Routes;

/// The service's routes.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .get("/examples/public", count::count)
        .get("/examples/user", read::read)
        .put("/examples/user", write::write)
        .get("/examples/admin", list::list)
        .get("/internal/examples/service", report::report)
}
