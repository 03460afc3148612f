//! Every route of the service. The type of a handler's first argument is its policy.

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
        .get("/inventory/{id}", show::show)
        .put("/inventory/{id}", set::set)
        .post("/reservations", reserve::reserve)
        .post("/reservations/{id}/commit", commit::commit)
        .delete("/reservations/{id}", release::release)
}
