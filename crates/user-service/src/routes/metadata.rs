//! The public documents for clients and verifiers: the keys that verify tokens, and the URLs of the endpoints for services.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::{Anyone, Clock};
use serde_json::{Value, json};
use service_kit::etag;
use utoipa::ToSchema;

use crate::tokens::SigningKeys;

/// The maximum age is the same as the default interval of `RemoteKeys::refresh`, at which verifiers fetch the key set.
const CACHE_CONTROL_VALUE: &str = "public, max-age=300";

/// The document with the metadata of this service.
#[derive(Clone, Debug)]
pub(crate) struct Metadata(Value);

impl Metadata {
    pub(crate) fn new(issuer: &str, public_url: &str, own_url: &str) -> Self {
        let by_secret = ["client_secret_basic"];
        // No `response_types_supported`: that member describes the authorization endpoint, and this service has none.
        Self(json!({
            "issuer": issuer,
            "jwks_uri": format!("{public_url}/.well-known/jwks.json"),
            // The endpoints have the service's internal URL: only services call them, and the public origin does not route to them.
            "token_endpoint": format!("{own_url}/oauth/token"),
            "token_endpoint_auth_methods_supported": by_secret,
            "introspection_endpoint": format!("{own_url}/oauth/introspect"),
            "introspection_endpoint_auth_methods_supported": by_secret,
            "revocation_endpoint": format!("{own_url}/oauth/revoke"),
            "revocation_endpoint_auth_methods_supported": by_secret,
            "grant_types_supported": ["client_credentials"],
        }))
    }
}

/// A JWK Set (RFC 7517 §5). The set is empty if a shared secret signs.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the members")]
pub(crate) struct JwkSet {
    #[schema(value_type = Vec<Object>)]
    keys: (),
}

/// Authorization server metadata (RFC 8414 §2).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the members")]
pub(crate) struct ServerMetadata {
    issuer: String,
    jwks_uri: String,
    token_endpoint: String,
    token_endpoint_auth_methods_supported: Vec<String>,
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: Vec<String>,
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: Vec<String>,
    grant_types_supported: Vec<String>,
}

/// `GET /.well-known/jwks.json`: the public keys (RFC 7517 §5). The set is empty if a shared secret signs.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "metadata",
    responses(
        (status = 200, body = JwkSet, headers(("etag" = String))),
        (status = 304, description = "the keys have not changed since the version in `If-None-Match`"),
    ),
)]
pub async fn jwks(
    _: Anyone,
    request: HttpRequest,
    keys: Data<SigningKeys>,
    clock: Data<Clock>,
) -> HttpResponse {
    respond(&request, &keys.jwks(clock.now()))
}

/// `GET /.well-known/oauth-authorization-server`: the issuer, the URL of its keys, and the endpoints for services (RFC 8414).
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "metadata",
    responses(
        (status = 200, body = ServerMetadata, headers(("etag" = String))),
        (status = 304, description = "the metadata have not changed since the version in `If-None-Match`"),
    ),
)]
pub async fn authorization_server(_: Anyone, request: HttpRequest, metadata: Data<Metadata>) -> HttpResponse {
    respond(&request, &metadata.0)
}

fn respond(request: &HttpRequest, document: &Value) -> HttpResponse {
    let mut response = etag::respond(request, etag::of_content(document), document);
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static(CACHE_CONTROL_VALUE));
    response
}
