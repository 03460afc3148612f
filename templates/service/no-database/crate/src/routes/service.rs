//! The caller, if it is a service.

use actix_web::web::Json;
use auth::IsService;

use crate::domain::ServiceCaller;

/// `GET /internal/examples/service`: returns the name of the calling service. `services.toml` says which services get tokens for
/// this one, and the gateway never forwards a path below `/internal`.
#[utoipa::path(
    get, path = "/internal/examples/service", tag = "internal", operation_id = "show_service",
    responses((status = 200, body = ServiceCaller)),
)]
pub async fn service(IsService(caller): IsService) -> Json<ServiceCaller> {
    Json(ServiceCaller {
        service: caller.name().to_owned(),
    })
}
