//! Every route of the service. The type of a handler's first argument is its policy.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod show;

use auth::Routes;

/// The service's routes.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .get("/products", list::list)
        .get("/products/{id}", show::show)
        .post("/products", create::create)
        .patch("/products/{id}", change::change)
        .delete("/products/{id}", delete::delete)
}
