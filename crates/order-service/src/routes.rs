//! Every method, URL and handler of the service. Who may call stands in the handler's first argument.

pub(crate) mod cancel;
pub(crate) mod fulfil;
pub(crate) mod list;
pub(crate) mod place;
pub(crate) mod show;

use auth::Routes;

/// The service's routes.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .post("/orders", place::place) // HasScope<OrdersWrite>
        .get("/orders", list::list) // VerifyToken: one's own, or all with the scope orders:read-all
        .get("/orders/{id}", show::show) // VerifyToken: as above
        .post("/orders/{id}/cancel", cancel::cancel) // VerifyToken: whoever ordered it, or an admin
        .post("/orders/{id}/fulfil", fulfil::fulfil) // IsAdmin
}
