//! Every route of the service. The type of a handler's first argument is its policy.

pub(crate) mod cancel;
pub(crate) mod fulfil;
pub(crate) mod list;
pub(crate) mod place;
pub(crate) mod purchase;
pub(crate) mod show;

use auth::Routes;

/// The service's routes.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .post("/orders", place::place)
        .get("/orders", list::list)
        .get("/orders/{id}", show::show)
        .post("/orders/{id}/cancel", cancel::cancel)
        .post("/orders/{id}/fulfil", fulfil::fulfil)
        .get("/internal/purchases", purchase::purchase)
}
