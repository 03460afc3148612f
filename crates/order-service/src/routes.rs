//! Every method, URL and handler of the service. Who may call stands in the handler's first argument.

pub(crate) mod cancel;
pub(crate) mod fulfil;
pub(crate) mod list;
pub(crate) mod place;
pub(crate) mod show;

use auth::Routes;
use garde::Validate;
use serde::Deserialize;

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

/// The body, if there is one, of a request that says everything in its URL.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}
