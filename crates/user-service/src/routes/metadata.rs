//! What others need to know to verify the tokens that are signed here.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::Anyone;
use serde_json::{Value, json};
use service_kit::etag;

/// As long as verifiers keep a key set before they look again.
const MAX_AGE: &str = "public, max-age=300";

/// What this service publishes of itself.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    jwks: Value,
    metadata: Value,
}

impl Published {
    pub(crate) fn new(issuer: &str, public_url: &str, own_url: &str, jwks: Value) -> Self {
        let by_secret = ["client_secret_basic"];
        let metadata = json!({
            "issuer": issuer,
            "jwks_uri": format!("{public_url}/.well-known/jwks.json"),
            // Under this service's own URL, though the document is public: these are for services alone, which reach them here,
            // and under the public URL nobody does.
            "token_endpoint": format!("{own_url}/oauth/token"),
            "token_endpoint_auth_methods_supported": by_secret,
            "introspection_endpoint": format!("{own_url}/oauth/introspect"),
            "introspection_endpoint_auth_methods_supported": by_secret,
            "revocation_endpoint": format!("{own_url}/oauth/revoke"),
            "revocation_endpoint_auth_methods_supported": by_secret,
            "grant_types_supported": ["client_credentials"],
            // RFC 8414 §2 requires the member. No flow of a browser ends in a token here.
            "response_types_supported": [],
        });
        Self { jwks, metadata }
    }

    /// Whether there are keys, and not one shared secret.
    pub(crate) fn has_keys(&self) -> bool {
        self.jwks
            .get("keys")
            .and_then(Value::as_array)
            .is_some_and(|keys| !keys.is_empty())
    }
}

/// `GET /.well-known/jwks.json`: the public keys (RFC 7517 §5). Empty where tokens are signed with a shared secret.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "metadata", responses((status = 200, body = Object)))]
pub async fn jwks(_: Anyone, request: HttpRequest, published: Data<Published>) -> HttpResponse {
    respond(&request, &published.jwks)
}

/// `GET /.well-known/oauth-authorization-server`: who signs, with which keys, and where services ask
/// for tokens and about them (RFC 8414).
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "metadata", responses((status = 200, body = Object))
)]
pub async fn authorization_server(
    _: Anyone,
    request: HttpRequest,
    published: Data<Published>,
) -> HttpResponse {
    respond(&request, &published.metadata)
}

fn respond(request: &HttpRequest, document: &Value) -> HttpResponse {
    let mut response = etag::respond(request, etag::of_content(document), document);
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static(MAX_AGE));
    response
}
