//! Every method, URL and handler of the service. Who may call stands in the handler's first argument.

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
        .get("/products", list::list) // Anyone
        .get("/products/{id}", show::show) // Anyone
        .post("/products", create::create) // HasScope<ProductsWrite>
        .patch("/products/{id}", change::change) // VerifyToken: its owner, or an admin
        .delete("/products/{id}", delete::delete) // IsAdmin
}
