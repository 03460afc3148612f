//! Every method, URL and handler of the service. Who may call stands in the handler's first argument.

pub(crate) mod commit;
pub(crate) mod release;
pub(crate) mod reserve;
pub(crate) mod set;
pub(crate) mod show;

use auth::Routes;

/// The service's routes.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .get("/inventory/{id}", show::show) // Anyone
        .put("/inventory/{id}", set::set) // VerifyToken: the product's owner, or an admin
        .post("/reservations", reserve::reserve) // IsService: order-service
        .post("/reservations/{id}/commit", commit::commit) // IsService: order-service
        .delete("/reservations/{id}", release::release) // IsService: order-service
}
