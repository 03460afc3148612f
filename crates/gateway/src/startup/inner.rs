//! The inner server: metrics and health checks, on a port that clients don't reach.

use actix_web::web::Data;
use actix_web::{HttpResponse, Responder};
use auth::{Anyone, Routes};
use serde_json::Value;
use service_kit::Server;
use utoipa::OpenApi;

use crate::NAME;
use crate::worker::Gateway;

/// The inner routes. `service-kit` adds those that every service has.
#[derive(OpenApi)]
#[openapi(
    info(description = "The inner port of the gateway."),
    tags((name = "gateway", description = "The keys of the gateway.")),
    paths(jwks)
)]
struct InnerRoutes;

/// The key set of the gateway. `None` if it signs no identity tokens.
#[derive(Clone)]
struct IdentityKeys(Option<Value>);

/// The inner server. It is ready when the gateway is.
pub(super) fn server(gateway: &Gateway) -> Server {
    let signer = gateway.identity_signer.as_ref();
    Server::new(NAME, routes, InnerRoutes::openapi())
        .verifier(gateway.verifier.clone())
        .data(IdentityKeys(signer.map(|signer| signer.jwks.clone())))
}

fn routes() -> Routes {
    Routes::new().get("/internal/jwks.json", jwks)
}

/// `GET /internal/jwks.json`: the public key of identity tokens (RFC 7517 §5).
#[utoipa::path(
    get, path = "/internal/jwks.json", tag = "gateway", operation_id = "get_gateway_jwks",
    responses(
        (status = 200, description = "The key set", body = Value, example = json!({"keys": []})),
        (status = 404, description = "`not_found`: `AUTH_STRATEGY` is not `gateway`"),
    ),
)]
async fn jwks(_: Anyone, keys: Data<IdentityKeys>) -> impl Responder {
    match &keys.0 {
        Some(keys) => HttpResponse::Ok().json(keys),
        None => HttpResponse::NotFound().finish(),
    }
}
