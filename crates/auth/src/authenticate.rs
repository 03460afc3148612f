//! Authenticates a request: finds its token and verifies the token. Extractors and middleware share the outcome, so a
//! token is verified once per request.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse};

use crate::credentials::bearer_token_of;
use crate::error::AuthError;
use crate::policy::Policy;
use crate::principal::Principal;
use crate::verifier::Verifier;

/// The outcome of authentication, kept in the request's extensions.
struct AuthOutcome {
    principal: Result<Principal, AuthError>,
    /// The verifier that the application had there. A scope inside can have another one.
    verifier: Option<Data<Verifier>>,
}

/// The outcome for this request, if its verifier has authenticated it before.
fn known_outcome(request: &HttpRequest) -> Option<Result<Principal, AuthError>> {
    let extensions = request.extensions();
    let outcome = extensions.get::<AuthOutcome>()?;
    let is_same = match (&outcome.verifier, request.app_data::<Data<Verifier>>()) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    };
    is_same.then(|| outcome.principal.clone())
}

/// Authenticates the caller and applies the policy. `Ok(None)` admits an anonymous caller.
pub(crate) async fn check(policy: Policy, request: &HttpRequest) -> Result<Option<Principal>, AuthError> {
    if policy == Policy::Anyone {
        return Ok(None);
    }
    let outcome = authenticate(request).await;
    policy.decide(outcome).inspect_err(|error| log(request, error))
}

/// Like [`check`], but without waiting. `None` if the policy is not `Anyone` and the request was not authenticated before.
pub(crate) fn check_known_outcome(
    policy: Policy,
    request: &HttpRequest,
) -> Option<Result<Option<Principal>, AuthError>> {
    if policy == Policy::Anyone {
        return Some(Ok(None));
    }
    let outcome = known_outcome(request)?;
    Some(policy.decide(outcome).inspect_err(|error| log(request, error)))
}

/// The error of a handler or of middleware for a refusal, which becomes the response.
pub(crate) fn refuse(error: AuthError, request: &HttpRequest) -> Error {
    match request.app_data::<Data<Verifier>>() {
        Some(verifier) => verifier.refusals().error(error, request),
        None => error.into(),
    }
}

async fn authenticate(request: &HttpRequest) -> Result<Principal, AuthError> {
    if let Some(principal) = known_outcome(request) {
        return principal;
    }
    let headers = request.headers();
    let verifier = request.app_data::<Data<Verifier>>();
    let principal = match verifier {
        Some(verifier) => verifier.authenticate(headers).await,
        None => bearer_token_of(headers).and(Err(AuthError::NoVerifier)),
    };
    request.extensions_mut().insert(AuthOutcome {
        principal: principal.clone(),
        verifier: verifier.cloned(),
    });
    principal
}

/// Logs and counts a refusal.
fn log(request: &HttpRequest, error: &AuthError) {
    let code = error.code();
    metrics::counter!("auth_refusals_total", "code" => code).increment(1);
    let route = request.match_pattern();
    match error {
        AuthError::NoVerifier => {
            tracing::error!(
                "the application has no Data<Verifier>: every route that needs authentication fails"
            );
        }
        AuthError::InvalidToken(fault) => tracing::info!(code, %fault, route, "request refused"),
        _ => tracing::info!(code, route, "request refused"),
    }
}

/// Forbids caches to store a response to an authenticated request (RFC 9111 §5.2.2.5), unless the handler set
/// `Cache-Control`.
pub(crate) fn forbid_storing<B>(response: &mut HttpResponse<B>) {
    if !response.headers().contains_key(CACHE_CONTROL) {
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
