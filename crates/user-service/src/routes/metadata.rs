//! The public documents for clients and verifiers: the keys that verify tokens, and the URLs of the endpoints for services.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::{Anyone, Clock};
use serde_json::{Value, json};
use service_kit::etag;
use utoipa::ToSchema;

use crate::domain::SigningAlgorithm;
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
    /// The public keys.
    #[schema(max_items = 100)]
    keys: Vec<Jwk>,
}

/// A public key (RFC 7517 §4, RFC 8037 §2).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the members")]
pub(crate) struct Jwk {
    /// The type of the key: `OKP` for Ed25519, `EC` for P-256.
    #[schema(pattern = "^(OKP|EC)$", example = "OKP")]
    kty: String,
    /// The curve: `Ed25519` or `P-256`.
    #[schema(pattern = "^(Ed25519|P-256)$", example = "Ed25519")]
    crv: String,
    /// The public key, or the x coordinate of its point, in base64url.
    #[schema(
        pattern = "^[A-Za-z0-9_-]+$",
        max_length = 100,
        example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    )]
    x: String,
    /// The y coordinate of a point, in base64url.
    #[schema(nullable = false, pattern = "^[A-Za-z0-9_-]+$", max_length = 100)]
    y: Option<String>,
    /// The use of the key: it verifies signatures.
    #[serde(rename = "use")]
    #[schema(pattern = "^sig$", example = "sig")]
    purpose: String,
    /// The algorithm of its signatures.
    alg: SigningAlgorithm,
    /// The id of the key: its thumbprint (RFC 7638).
    #[schema(
        min_length = 43,
        max_length = 43,
        pattern = "^[A-Za-z0-9_-]+$",
        example = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    )]
    kid: String,
}

/// Authorization server metadata (RFC 8414 §2).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the members")]
pub(crate) struct ServerMetadata {
    /// The issuer of tokens: the URL of the platform.
    #[schema(format = "uri", max_length = 2_000, example = "https://shop.example")]
    issuer: String,
    /// The URL of the public keys.
    #[schema(
        format = "uri",
        max_length = 2_000,
        example = "https://shop.example/.well-known/jwks.json"
    )]
    jwks_uri: String,
    /// The URL at which services get service tokens. Like the next two, it is inside the platform.
    #[schema(
        format = "uri",
        max_length = 2_000,
        example = "http://user-service:8081/oauth/token"
    )]
    token_endpoint: String,
    /// How clients authenticate there.
    #[schema(max_items = 10, max_length = 100, example = json!(["client_secret_basic"]))]
    token_endpoint_auth_methods_supported: Vec<String>,
    /// The URL at which services introspect tokens.
    #[schema(
        format = "uri",
        max_length = 2_000,
        example = "http://user-service:8081/oauth/introspect"
    )]
    introspection_endpoint: String,
    /// How clients authenticate there.
    #[schema(max_items = 10, max_length = 100, example = json!(["client_secret_basic"]))]
    introspection_endpoint_auth_methods_supported: Vec<String>,
    /// The URL at which services revoke tokens.
    #[schema(
        format = "uri",
        max_length = 2_000,
        example = "http://user-service:8081/oauth/revoke"
    )]
    revocation_endpoint: String,
    /// How clients authenticate there.
    #[schema(max_items = 10, max_length = 100, example = json!(["client_secret_basic"]))]
    revocation_endpoint_auth_methods_supported: Vec<String>,
    /// The grant types.
    #[schema(max_items = 10, max_length = 100, example = json!(["client_credentials"]))]
    grant_types_supported: Vec<String>,
}

/// `GET /.well-known/jwks.json`: the public keys (RFC 7517 §5). The set is empty if a shared secret signs.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "metadata", operation_id = "get_jwks",
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
    get, path = "/.well-known/oauth-authorization-server", tag = "metadata", operation_id = "get_authorization_server",
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
