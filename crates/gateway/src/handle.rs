//! Handles one request: refuses what is malformed, identifies the caller, applies the rules of the route, and forwards.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use auth::{
    AccessCookieState, AuthError, FoundCookie, IDENTITY_HEADER, Identified, Policy, Principal, RequestKind,
    User,
};
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue, ORIGIN, UPGRADE};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use service_kit::{TokenRule, known_method};

use crate::body::ResponseBody;
use crate::headers::{self, ForwardedFacts, MAX_HEADERS, X_REQUEST_ID};
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
    let removes_session = match &outcome {
        Err(Refusal::Auth(AuthError::CrossSite)) | Ok(_) => false,
        Err(_) => record.is_logout,
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
        cookies::remove(headers, &worker.gateway.access_cookie);
    }
    if removes_session {
        cookies::remove(headers, &worker.gateway.refresh_cookie);
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

/// Decides what happens with a request. Leaves in it the headers that the service receives.
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
    if request.headers().len() > MAX_HEADERS {
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
    let uri = upstream_uri(route.upstream_path(&path), request.uri().query())?;
    let scheme = scheme(worker, peer, request.headers());
    let is_upgrade = route.rules.upgrade && length.is_empty && wants_web_socket(&request);
    let identified = identify(gateway, route.rules.token, request.headers()).await;
    record.removes_access_cookie = identified.cookie == AccessCookieState::Invalid;
    let caller = authorize(
        gateway,
        &route,
        client,
        is_upgrade,
        identified,
        &mut request,
        &length,
    )?;
    let user = caller.as_ref().ok().and_then(Principal::user);
    record.user = user.map(User::id);

    let protocol = request.headers().get(UPGRADE).cloned().filter(|_| is_upgrade);
    headers::clean_request(request.headers_mut(), protocol.is_some());
    let facts = ForwardedFacts {
        user,
        role: user.and_then(|user| table.roles.highest(user.roles())),
        client,
        version: request.version(),
        scheme,
        host,
        request_id: record.request_id.clone(),
        upstream_host: route.upstream.authority.clone(),
    };
    headers::add_facts(request.headers_mut(), facts);
    if let Some(signer) = &gateway.identity_signer {
        replace_token(worker, signer, &caller, &route, request.headers_mut())?;
    }
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_11;
    Ok(Checked::Admitted(Admitted {
        user: user.cloned(),
        request,
        table,
        route,
        protocol,
    }))
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
async fn identify(gateway: &Gateway, rule: TokenRule, headers: &HeaderMap) -> Identified {
    match rule {
        TokenRule::Ignored => Identified {
            caller: Err(AuthError::NoToken),
            cookie: AccessCookieState::Missing,
        },
        TokenRule::Required | TokenRule::Optional => {
            let cookie = cookies::access(headers, &gateway.access_cookie);
            let bearer = headers::bearer_token_of(headers);
            gateway.verifier.identify(bearer, cookie).await
        }
    }
}

/// Applies the rules of the route. Leaves in `request` the credential and the cookies that the service receives. If the route admits
/// requests without a valid token, the caller may be an error.
fn authorize(
    gateway: &Gateway,
    route: &Route,
    client: IpAddr,
    is_upgrade: bool,
    identified: Identified,
    request: &mut Request<()>,
    length: &BodyLength,
) -> Result<Result<Principal, AuthError>, Refusal> {
    let rules = &route.rules;
    let Identified { caller, cookie } = identified;
    let has_access_cookie = cookie == AccessCookieState::Usable;
    let user = caller.as_ref().ok().and_then(Principal::user);
    route.check_rate(user.map(User::id), client)?;
    if let Err(error) = caller
        && (error == AuthError::AmbiguousCredentials
            // The service would not receive the token, so it could not decide either.
            || gateway.identity_signer.is_some() && !error.is_unauthenticated())
    {
        return Err(error.into());
    }
    let caller = match rules.token {
        TokenRule::Required => Policy::User.decide(caller)?.ok_or(AuthError::NoToken),
        TokenRule::Optional | TokenRule::Ignored => caller,
    };
    let headers = request.headers();
    let passed = cookies::passed(headers, &rules.cookies);
    let kind = RequestKind {
        is_safe: request.method().is_safe(),
        is_upgrade,
        carries_cookie: has_access_cookie || !passed.is_empty(),
    };
    gateway
        .origins()
        .check(kind, |origins| cookies::source(headers, origins))?;
    // A body whose length is unknown is measured while it passes.
    if length.minimum > rules.body_limit {
        return Err(Refusal::BodyTooLarge);
    }
    let of_cookie = match cookies::access(headers, &gateway.access_cookie) {
        FoundCookie::Value(token) if has_access_cookie => headers::bearer(token),
        _ => None,
    };
    headers::set_credentials(request.headers_mut(), passed, of_cookie);
    Ok(caller)
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
