//! Every route of the service. The type of a handler's first argument is its policy.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod show;

use auth::Routes;

/// The service's routes.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .get("/reviews", list::list)
        .get("/reviews/{id}", show::show)
        .post("/reviews", create::create)
        .delete("/reviews/{id}", delete::delete)
}
