//! Handles one request: refuses what is malformed, identifies the caller, applies the rules of the route, and forwards.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use auth::{
    AccessCookieState, AuthError, CarriedCookies, FoundCookie, IDENTITY_HEADER, Identified, Policy,
    Principal, RequestKind, User,
};
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue, ORIGIN, UPGRADE};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use service_kit::{TokenRule, known_method};

use crate::body::ResponseBody;
use crate::headers::{self, ForwardedFacts, X_REQUEST_ID};
use crate::identity::IdentitySigner;
use crate::phase::InProgress;
use crate::record::Record;
use crate::refusal::{METHODS, Refusal};
use crate::request_facts::{client_address, host, request_id, scheme, upstream_uri, wants_web_socket};
use crate::table::{Route, Table};
use crate::worker::{Gateway, Peer, Worker};
use crate::{cookies, cors, forward, pages, path, tunnel};

/// The outcome of the checks of a request.
enum Checked {
    /// The gateway itself answers.
    Answered(Response<ResponseBody>),
    Admitted(Admitted),
}

/// A request that has a route, without its body. Its URI is that of the service already.
struct Routed {
    request: Request<()>,
    table: Arc<Table>,
    route: Arc<Route>,
    client: IpAddr,
    host: HeaderValue,
    scheme: &'static str,
    /// Whether the connection is to become a WebSocket, and the route allows it.
    is_upgrade: bool,
    /// The lowest length of the body, in bytes.
    minimum_length: u64,
}

/// The caller of a request.
struct Caller {
    /// The caller, or why there is none.
    principal: Result<Principal, AuthError>,
    /// The state of the access cookie.
    cookie: AccessCookieState,
    /// The token of a usable access cookie, as the value of `Authorization`.
    cookie_token: Option<HeaderValue>,
}

/// A request that its service may receive, without its body.
struct Admitted {
    request: Request<()>,
    table: Arc<Table>,
    route: Arc<Route>,
    user: Option<User>,
    /// The protocol that the client asks to switch to.
    protocol: Option<HeaderValue>,
}

/// The length of a request's body, as far as it is known before the body arrives.
struct BodyLength {
    is_empty: bool,
    /// The lowest number of bytes.
    minimum: u64,
}

/// Answers a request.
pub(crate) async fn handle(
    worker: Rc<Worker>,
    peer: Peer,
    request: Request<Incoming>,
    in_progress: &InProgress,
) -> Response<ResponseBody> {
    let version = request.version();
    let request_id = request_id(request.headers());
    let origin = request.headers().get(ORIGIN).cloned();
    let method = known_method(request.method().as_str());
    let mut record = Record::new(Rc::clone(&worker.metrics), request_id.clone(), method);

    let (parts, body) = request.into_parts();
    let length = BodyLength {
        is_empty: body.is_end_stream(),
        minimum: body.size_hint().lower(),
    };
    let request = Request::from_parts(parts, ());
    let outcome = match check(&worker, peer, request, length, in_progress, &mut record).await {
        Ok(Checked::Admitted(admitted)) => send(&worker, admitted, body, in_progress).await,
        Ok(Checked::Answered(response)) => Ok(response),
        Err(refusal) => Err(refusal),
    };
    // user-service itself removes the cookies, unless it or a proxy before it fails.
    let removes_session = record.is_logout
        && match &outcome {
            Ok(response) => response.status().is_server_error(),
            Err(refusal) => *refusal != Refusal::Auth(AuthError::CrossSite),
        };
    // After such a refusal, the rest of the client's body is not read.
    let leaves_body = matches!(&outcome, Err(Refusal::BodyTooLarge | Refusal::BodyTimeout));
    let mut response = outcome.unwrap_or_else(|refusal| refusal.respond(record.request_id()));
    if method == "HEAD"
        && let Some(length) = response.body_mut().remove_text()
    {
        // In HTTP/2 the library would send the text (RFC 9110 §9.3.2).
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }

    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if switches {
        in_progress.becomes_tunnel();
    }
    let headers = response.headers_mut();
    cors::add_headers(origin.as_ref(), worker.gateway.origins(), headers);
    if record.removes_access_cookie || removes_session {
        cookies::remove(headers, worker.gateway.access_cookie.removal());
    }
    if removes_session {
        cookies::remove(headers, &worker.gateway.refresh_cookie_removal);
    }
    headers.insert(X_REQUEST_ID, request_id);
    // HTTP/2 has no such header: it announces the end of a connection by a frame. A tunnel ends by itself.
    let is_last = leaves_body || worker.gateway.is_draining();
    if is_last && version < Version::HTTP_2 && !switches {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    record.status = response.status();
    response.map(|body| body.recorded(record))
}

/// Decides what happens with a request.
async fn check(
    worker: &Worker,
    peer: Peer,
    mut request: Request<()>,
    length: BodyLength,
    in_progress: &InProgress,
    record: &mut Record,
) -> Result<Checked, Refusal> {
    let gateway = &worker.gateway;
    check_method(request.method())?;
    // In HTTP/1.1 the parser has refused it already.
    if headers::are_too_many(request.headers()) {
        return Err(Refusal::TooManyHeaders);
    }
    let host = host(&request)?;
    let path = path::normalize(request.uri().path()).map_err(|path::InvalidPath| Refusal::Path)?;
    if let Some(answer) = cors::preflight(request.method(), request.headers(), gateway.origins()) {
        return answer.map(Checked::Answered);
    }

    record.is_logout = cookies::is_logout(request.method(), &path, request.headers(), gateway.origins());
    let table = gateway.table();
    let client = client_address(worker, peer, request.headers());
    let Some(route) = table.find(&path).cloned() else {
        if !pages::is_health(&path) {
            table.check_rate_without_route(client)?;
        }
        let page = pages::answer(gateway, request.method(), &path).await;
        return page.map(Checked::Answered);
    };
    // The route may allow more time than a request has otherwise.
    in_progress.limit(Some(route.rules.timeout));
    record.route = Some(Arc::clone(&route));
    *request.uri_mut() = upstream_uri(route.upstream_path(&path), request.uri().query())?;
    let routed = Routed {
        scheme: scheme(worker, peer, request.headers()),
        is_upgrade: route.rules.upgrade && length.is_empty && wants_web_socket(&request),
        request,
        table,
        route,
        client,
        host,
        minimum_length: length.minimum,
    };
    admit(worker, routed, record).await.map(Checked::Admitted)
}

/// Identifies the caller, and applies the rules of the route. Leaves in the request the headers that the service receives.
async fn admit(worker: &Worker, routed: Routed, record: &mut Record) -> Result<Admitted, Refusal> {
    let gateway = &worker.gateway;
    let Caller {
        principal,
        cookie,
        cookie_token,
    } = identify(gateway, routed.route.rules.token, routed.request.headers()).await;
    record.removes_access_cookie = cookie == AccessCookieState::Invalid;
    let caller = authorize(gateway, &routed, principal)?;
    let passed = cookies::passed(routed.request.headers(), &routed.route.rules.cookies);
    check_source(gateway, &routed, cookie, passed.as_ref())?;
    // A body whose length is unknown is measured while it passes.
    if routed.minimum_length > routed.route.rules.body_limit {
        return Err(Refusal::BodyTooLarge);
    }

    let Routed {
        mut request,
        table,
        route,
        ..
    } = routed;
    let user = caller.as_ref().ok().and_then(Principal::user);
    record.user = user.map(User::id);
    let protocol = request.headers().get(UPGRADE).cloned();
    let protocol = protocol.filter(|_| routed.is_upgrade);
    headers::set_credentials(request.headers_mut(), passed, cookie_token);
    headers::clean_request(request.headers_mut(), protocol.is_some());
    let facts = ForwardedFacts {
        user,
        role: user.and_then(|user| table.roles.highest(user.roles())),
        client: routed.client,
        version: request.version(),
        scheme: routed.scheme,
        host: routed.host,
        request_id: record.request_id.clone(),
        upstream_host: route.upstream.authority.clone(),
    };
    headers::add_facts(request.headers_mut(), facts);
    if let Some(signer) = &gateway.identity_signer {
        replace_token(worker, signer, &caller, &route, request.headers_mut())?;
    }
    *request.version_mut() = Version::HTTP_11;
    Ok(Admitted {
        user: user.cloned(),
        request,
        table,
        route,
        protocol,
    })
}

async fn send(
    worker: &Worker,
    admitted: Admitted,
    body: Incoming,
    in_progress: &InProgress,
) -> Result<Response<ResponseBody>, Refusal> {
    let Admitted {
        request,
        table,
        route,
        user,
        protocol,
    } = admitted;
    let request = request.map(|()| body);
    match protocol {
        None => forward::forward(worker, user.as_ref(), &table, &route, request, in_progress).await,
        // In a box, as it is rare: each request would be larger.
        Some(protocol) => {
            Box::pin(tunnel::open(
                worker,
                user.as_ref(),
                &table,
                &route,
                request,
                protocol,
            ))
            .await
        }
    }
}

/// Identifies the caller by the bearer token and the access cookie, unless the route ignores tokens.
async fn identify(gateway: &Gateway, rule: TokenRule, headers: &HeaderMap) -> Caller {
    if rule == TokenRule::Ignored {
        return Caller {
            principal: Err(AuthError::NoToken),
            cookie: AccessCookieState::Missing,
            cookie_token: None,
        };
    }
    let found = cookies::access(headers, &gateway.access_cookie);
    let bearer = headers::bearer_token_of(headers);
    let Identified { caller, cookie } = gateway.verifier.identify(bearer, found).await;
    let cookie_token = match found {
        FoundCookie::Value(token) if cookie == AccessCookieState::Usable => headers::bearer(token),
        _ => None,
    };
    Caller {
        principal: caller,
        cookie,
        cookie_token,
    }
}

/// Applies the rules about the caller. If the route admits requests without a valid token, the caller may be an error.
fn authorize(
    gateway: &Gateway,
    routed: &Routed,
    caller: Result<Principal, AuthError>,
) -> Result<Result<Principal, AuthError>, Refusal> {
    let user = caller.as_ref().ok().and_then(Principal::user);
    routed.route.check_rate(user.map(User::id), routed.client)?;
    if let Err(error) = caller
        && (error == AuthError::AmbiguousCredentials
            // The service would not receive the token, so it could not decide either.
            || gateway.identity_signer.is_some() && !error.is_unauthenticated())
    {
        return Err(error.into());
    }
    Ok(match routed.route.rules.token {
        TokenRule::Required => Ok(Policy::User.decide(caller)?.ok_or(AuthError::NoToken)?),
        TokenRule::Optional | TokenRule::Ignored => caller,
    })
}

/// Applies the cross-site rule.
fn check_source(
    gateway: &Gateway,
    routed: &Routed,
    access_cookie: AccessCookieState,
    passed: Option<&HeaderValue>,
) -> Result<(), AuthError> {
    let kind = RequestKind {
        is_safe: routed.request.method().is_safe(),
        is_upgrade: routed.is_upgrade,
        cookies: if access_cookie == AccessCookieState::Usable {
            CarriedCookies::Usable
        } else {
            cookies::carried(passed)
        },
    };
    let headers = routed.request.headers();
    let origins = gateway.origins();
    origins.check(kind, |origins| cookies::source(headers, origins))
}

/// Replaces a user's access token by an identity token for the service of the route. The service must not receive a token that other
/// services accept.
fn replace_token(
    worker: &Worker,
    signer: &IdentitySigner,
    caller: &Result<Principal, AuthError>,
    route: &Route,
    headers: &mut HeaderMap,
) -> Result<(), Refusal> {
    match caller {
        Ok(Principal::User(user)) => {
            // Without the roles that are withheld: the service can't see which key signed the access token, so it does not know
            // whether that key was revoked.
            let token = worker.identities.token(signer, user, &route.upstream.name);
            headers.insert(IDENTITY_HEADER, token.ok_or(Refusal::Internal)?);
            headers.remove(AUTHORIZATION);
        }
        // Other services refuse such a token, too. A service that requires a token answers why it refuses this one.
        Ok(Principal::Service(_)) | Err(AuthError::Expired | AuthError::Revoked) => {}
        // Not the client's token: another service may accept it, if that service knows a key that the gateway does not know yet.
        Err(AuthError::InvalidToken(_)) => {
            headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer invalid"));
        }
        Err(_) => {
            headers.remove(AUTHORIZATION);
        }
    }
    Ok(())
}

/// Refuses all but the usual methods. A service must not see `TRACE`, which repeats the request's headers, nor `CONNECT`, which opens a
/// tunnel.
fn check_method(method: &Method) -> Result<(), Refusal> {
    if known_method(method.as_str()) == "other" {
        Err(Refusal::Method { allowed: METHODS })
    } else {
        Ok(())
    }
}
