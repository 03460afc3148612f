//! Authenticates a request: finds its token, verifies the token, and applies the cross-site rule. Extractors and middleware share the
//! outcome, so a token is verified once per request.

use std::sync::Arc;

use actix_web::dev::{RequestHead, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{CACHE_CONTROL, COOKIE, HeaderValue};
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse};

use crate::access_cookie::AccessCookie;
use crate::credentials::bearer_token_of;
use crate::error::AuthError;
use crate::origins::{CarriedCookies, RequestKind};
use crate::policy::Policy;
use crate::principal::Principal;
use crate::verifier::Verifier;

/// The outcome of authentication, kept in the request's extensions.
struct AuthOutcome {
    authenticated: Authenticated,
    /// The verifier that the application had there. A scope inside can have another one.
    verifier: Option<Data<Verifier>>,
}

/// A request's caller.
#[derive(Clone, Debug)]
pub(crate) struct Authenticated {
    pub principal: Result<Principal, AuthError>,
    /// Whether the cross-site rule refuses the request, after its credential was accepted.
    pub is_cross_site: bool,
    /// Whether the response removes the access cookie.
    pub removes_cookie: bool,
}

/// The decision about a request.
pub(crate) struct Checked {
    /// The caller, if admitted. `Ok(None)` admits an anonymous caller.
    pub admitted: Result<Option<Principal>, AuthError>,
    /// Whether the response removes the access cookie.
    removes_cookie: bool,
}

impl Authenticated {
    /// Applies the policy, and then the cross-site rule: a request without a valid credential gets 401.
    fn decide(self, policy: Policy, request: &HttpRequest) -> Checked {
        let is_cross_site = self.is_cross_site;
        let admitted = match policy {
            // These policies need no token.
            Policy::Anyone | Policy::Custom(_) => Ok(None),
            _ => policy.decide(self.principal),
        };
        let admitted = admitted.and_then(|principal| {
            if is_cross_site {
                return Err(AuthError::CrossSite);
            }
            Ok(principal)
        });
        Checked {
            admitted: admitted.inspect_err(|error| log(request, error)),
            removes_cookie: self.removes_cookie,
        }
    }
}

impl Checked {
    const ANONYMOUS: Self = Self {
        admitted: Ok(None),
        removes_cookie: false,
    };

    /// The refusal of a request whose credential is not looked at.
    pub(crate) fn refused(error: AuthError, request: &HttpRequest) -> Self {
        log(request, &error);
        Self {
            admitted: Err(error),
            removes_cookie: false,
        }
    }

    /// The response to a request that is refused.
    pub(crate) fn refusal(&self, error: AuthError, request: ServiceRequest) -> ServiceResponse {
        let error = refuse(error, request.request());
        let (request, mut response) = request.error_response(error).into_parts();
        self.complete(&request, &mut response);
        ServiceResponse::new(request, response)
    }

    /// Completes the response to the request.
    pub(crate) fn complete<B>(&self, request: &HttpRequest, response: &mut HttpResponse<B>) {
        if self.removes_cookie
            && let Some(cookie) = access_cookie(request)
        {
            cookie.remove_in(response.headers_mut());
        }
    }
}

/// The outcome for this request, if its verifier has authenticated it before.
fn known_outcome(request: &HttpRequest) -> Option<Authenticated> {
    let extensions = request.extensions();
    let outcome = extensions.get::<AuthOutcome>()?;
    let is_same = match (&outcome.verifier, request.app_data::<Data<Verifier>>()) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    };
    is_same.then(|| outcome.authenticated.clone())
}

/// Authenticates the caller, and applies the policy and the cross-site rule.
pub(crate) async fn check(policy: Policy, request: &HttpRequest) -> Checked {
    if matches!(policy, Policy::Anyone | Policy::Custom(_)) && !may_be_cross_site(request) {
        return Checked::ANONYMOUS;
    }
    authenticate(request).await.decide(policy, request)
}

/// Like [`check`], but without waiting. `None` if the policy is not `Anyone` and the request was not authenticated before.
pub(crate) fn check_known_outcome(
    policy: Policy,
    request: &HttpRequest,
) -> Option<Result<Option<Principal>, AuthError>> {
    if policy == Policy::Anyone {
        return Some(Ok(None));
    }
    Some(known_outcome(request)?.decide(policy, request).admitted)
}

/// The error of a handler or of middleware for a refusal, which becomes the response.
pub(crate) fn refuse(error: AuthError, request: &HttpRequest) -> Error {
    match request.app_data::<Data<Verifier>>() {
        Some(verifier) => verifier.refusals().error(error, request),
        None => error.into(),
    }
}

async fn authenticate(request: &HttpRequest) -> Authenticated {
    if let Some(authenticated) = known_outcome(request) {
        return authenticated;
    }
    let verifier = request.app_data::<Data<Verifier>>();
    let authenticated = match verifier {
        Some(verifier) => verifier.authenticate(request.head()).await,
        None => Authenticated {
            principal: bearer_token_of(request.headers()).and(Err(AuthError::NoVerifier)),
            is_cross_site: false,
            removes_cookie: false,
        },
    };
    request.extensions_mut().insert(AuthOutcome {
        authenticated: authenticated.clone(),
        verifier: verifier.cloned(),
    });
    authenticated
}

fn access_cookie(request: &HttpRequest) -> Option<&AccessCookie> {
    request.app_data::<Data<Verifier>>()?.access_cookie()
}

/// Whether the cross-site rule may refuse a request whose credential is not looked at. Then the token of its cookie decides: an
/// invalid one counts as none.
fn may_be_cross_site(request: &HttpRequest) -> bool {
    let head = request.head();
    let (is_safe, is_upgrade) = (head.method.is_safe(), is_upgrade(head));
    if is_safe && !is_upgrade {
        return false;
    }
    let Some(cookie) = access_cookie(request) else {
        return false;
    };
    let cookies = if head.headers.contains_key(COOKIE) {
        CarriedCookies::Usable
    } else {
        CarriedCookies::None
    };
    let kind = RequestKind {
        is_safe,
        is_upgrade,
        cookies,
    };
    let origins = cookie.origins();
    let checked = origins.check(kind, |origins| origins.source_of(&head.headers));
    checked.is_err()
}

/// Whether the client asks to switch to another protocol. The parser knows, so this looks up no header.
pub(crate) fn is_upgrade(head: &RequestHead) -> bool {
    head.connection_type() == ConnectionType::Upgrade
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
