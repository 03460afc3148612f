//! The public description of the service.

use actix_web::{HttpRequest, HttpResponse};
use auth::Anyone;
use service_kit::etag;

use crate::NAME;
use crate::domain::About;

/// `GET /examples/public`: returns the name and the version of this service.
#[utoipa::path(
    get, path = "/examples/public", tag = "examples", operation_id = "about",
    responses(
        (status = 200, body = About, headers(("etag" = String))),
        (status = 304, description = "nothing has changed since the version in `If-None-Match`"),
    ),
)]
pub async fn about(_: Anyone, request: HttpRequest) -> HttpResponse {
    let about = About {
        service: NAME,
        version: env!("CARGO_PKG_VERSION"),
    };
    etag::respond(&request, etag::of_content(&about), &about)
}
