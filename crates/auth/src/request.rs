//! From a request to whoever presented it: which token is meant, verified once for each request however many ask.

use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};

use crate::policy::Policy;
use crate::principal::Principal;
use crate::refusal::{AuthError, TokenFault};
use crate::verifier::Verifier;

/// What the request's credential came to, kept in the request's extensions.
#[derive(Clone)]
struct Presented(Result<Principal, AuthError>);

/// Decides whether the request may come in, and who it is.
pub(crate) async fn admit(policy: Policy<'_>, request: &HttpRequest) -> Result<Option<Principal>, AuthError> {
    if policy == Policy::Anyone {
        return Ok(None);
    }
    let presented = present(request).await;
    policy
        .decide(presented)
        .inspect_err(|refusal| log(request, refusal))
}

/// As [`admit`], for a request whose credential was verified already: `None` when it was not.
pub(crate) fn admitted(
    policy: Policy<'_>,
    request: &HttpRequest,
) -> Option<Result<Option<Principal>, AuthError>> {
    if policy == Policy::Anyone {
        return Some(Ok(None));
    }
    let Presented(outcome) = request.extensions().get::<Presented>().cloned()?;
    Some(policy.decide(outcome))
}

async fn present(request: &HttpRequest) -> Result<Principal, AuthError> {
    if let Some(Presented(outcome)) = request.extensions().get::<Presented>() {
        return outcome.clone();
    }
    let outcome = match bearer_token(request) {
        Ok(token) => match request.app_data::<Data<Verifier>>() {
            Some(verifier) => verifier.verify(token).await,
            None => Err(AuthError::NoVerifier),
        },
        Err(refusal) => Err(refusal),
    };
    request.extensions_mut().insert(Presented(outcome.clone()));
    outcome
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1), and of nowhere else: never of the query.
fn bearer_token(request: &HttpRequest) -> Result<&str, AuthError> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let header = headers.next().ok_or(AuthError::NoToken)?;
    if headers.next().is_some() {
        return Err(AuthError::AmbiguousCredentials);
    }
    let value =
        std::str::from_utf8(header.as_bytes()).map_err(|_| AuthError::InvalidToken(TokenFault::Header))?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(AuthError::NoToken);
    }
    // What stands in the token is not looked at here: one that was seen before is compared, and any other is read.
    if token.is_empty() {
        Err(AuthError::InvalidToken(TokenFault::Header))
    } else {
        Ok(token)
    }
}

fn log(request: &HttpRequest, refusal: &AuthError) {
    let route = request.match_pattern();
    match refusal {
        AuthError::NoVerifier => {
            tracing::error!("no Data<Verifier> among the application's data: nobody can come in");
        }
        AuthError::InvalidToken(fault) => tracing::info!(code = refusal.code(), %fault, route, "refused"),
        _ => tracing::info!(code = refusal.code(), route, "refused"),
    }
}

/// What came from behind a token is for its bearer alone (RFC 9111 §5.2.2.5), unless the handler said otherwise.
pub(crate) fn forbid_storing<B>(response: &mut HttpResponse<B>) {
    if !response.headers().contains_key(CACHE_CONTROL) {
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
