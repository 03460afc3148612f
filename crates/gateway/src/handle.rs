//! The way of a request through the gateway: refuse what is malformed, identify the caller, apply the rules of the route, forward.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use auth::{AuthError, IDENTITY_HEADER, Policy, Principal, User, bearer_token};
use http::header::{AUTHORIZATION, CONNECTION, HOST, HeaderMap, HeaderValue, ORIGIN, UPGRADE};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use service_kit::{RequestId, TokenRule, is_host, known_method};
use uuid::Uuid;

use crate::body::ResponseBody;
use crate::cookies::Cookies;
use crate::headers::{self, Facts, X_FORWARDED_PROTO, X_REQUEST_ID};
use crate::phase::InProgress;
use crate::record::Record;
use crate::refusal::{METHODS, Refusal};
use crate::table::Route;
use crate::worker::{Peer, Worker};
use crate::{cors, forward, pages, path, tunnel};

/// Facts about a request that are found on its way, for its time limit, the log and the metrics.
struct Findings<'r> {
    in_progress: &'r InProgress,
    route: Option<Arc<Route>>,
    user: Option<Uuid>,
}

impl Findings<'_> {
    fn set_route(&mut self, route: &Arc<Route>) {
        // Before the request is forwarded: the route may allow more time than a request has otherwise.
        self.in_progress.limit(Some(route.rules.timeout));
        self.route = Some(Arc::clone(route));
    }
}

/// Answers a request.
pub(crate) async fn handle(
    worker: Rc<Worker>,
    peer: Peer,
    request: Request<Incoming>,
    in_progress: &InProgress,
) -> Response<ResponseBody> {
    let started = Instant::now();
    let method = known_method(request.method().as_str());
    let version = request.version();
    let request_id = request_id(request.headers());
    let origin = request.headers().get(ORIGIN).cloned();

    let (parts, body) = request.into_parts();
    let request = Request::from_parts(parts, ());
    let mut body = Some(body);
    let mut findings = Findings {
        in_progress,
        route: None,
        user: None,
    };
    let outcome = answer(&worker, peer, request, &mut body, &request_id, &mut findings).await;
    let mut response =
        outcome.unwrap_or_else(|refusal: Refusal| refusal.respond(request_id.to_str().unwrap_or_default()));

    if forward::is_event_stream(response.headers()) {
        in_progress.limit(None);
    }
    let headers = response.headers_mut();
    cors::add_headers(origin.as_ref(), &worker.gateway.origins, headers);
    headers.insert(X_REQUEST_ID, request_id.clone());
    // HTTP/2 has no such header: it announces the end of a connection by a frame.
    if worker.gateway.is_draining() && version < Version::HTTP_2 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let prefix = findings.route.as_ref().map_or("", |route| &route.rules.prefix);
    let record = Record {
        started,
        request_id,
        metrics: worker.metrics.of(prefix),
        method,
        user: findings.user,
        status: response.status(),
    };
    // HTTP/2 would otherwise reset the stream of a body that was not read, before the response is sent (RFC 9113 §8.1).
    response.map(|response| response.recorded(record).keeping(body))
}

async fn answer(
    worker: &Worker,
    peer: Peer,
    request: Request<()>,
    body: &mut Option<Incoming>,
    request_id: &HeaderValue,
    findings: &mut Findings<'_>,
) -> Result<Response<ResponseBody>, Refusal> {
    let gateway = &worker.gateway;
    check_method(request.method())?;
    let host = host(&request)?;
    let path = path::normalize(request.uri().path()).map_err(|path::InvalidPath| Refusal::Path)?;
    if let Some(page) = pages::answer(gateway, request.method(), &path).await {
        return page;
    }
    if let Some(answer) = cors::preflight(request.method(), request.headers(), &gateway.origins) {
        return answer;
    }

    let table = gateway.table();
    let route = table.find(&path).ok_or(Refusal::NotFound)?;
    findings.set_route(route);
    let upstream_path = route.upstream_path(&path);
    let uri = upstream_uri(upstream_path, request.uri().query())?;

    let client = client_address(worker, peer, request.headers());
    let scheme = scheme(worker, peer, request.headers());
    let has_body = body.as_ref().is_some_and(|body| !body.is_end_stream());
    let is_upgrade = route.rules.upgrade && !has_body && wants_web_socket(&request);
    let mut request = request;
    let body_length = body.as_ref().map_or(0, |body| body.size_hint().lower());
    let user = admit(worker, route, client, is_upgrade, &mut request, body_length).await?;
    findings.user = user.as_ref().map(User::id);

    let protocol = request.headers().get(UPGRADE).cloned().filter(|_| is_upgrade);
    headers::clean_request(request.headers_mut());
    let facts = Facts {
        user: user.as_ref(),
        role: user.as_ref().and_then(|user| gateway.roles.highest(user.roles())),
        client,
        scheme,
        host,
        request_id: request_id.clone(),
        upstream_host: route.upstream.authority.clone(),
    };
    headers::add_facts(request.headers_mut(), facts);
    if let (Some(signer), Some(user)) = (&gateway.identity_signer, &user)
        && let Some(token) = worker.identities.token(signer, user, &route.upstream.name)
    {
        request.headers_mut().insert(IDENTITY_HEADER, token);
        // The service must not receive a token that other services accept.
        request.headers_mut().remove(AUTHORIZATION);
    }
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_11;
    let Some(body) = body.take() else {
        return Err(Refusal::Unavailable);
    };
    let request = request.map(|()| body);
    match protocol {
        Some(protocol) => tunnel::open(worker, user.as_ref(), route, request, protocol).await,
        None => forward::forward(worker, &table, route, request).await,
    }
}

/// Identifies the caller and applies the rules of the route. Leaves in `request` the credential and the cookies that the service
/// receives.
async fn admit(
    worker: &Worker,
    route: &Route,
    client: IpAddr,
    is_upgrade: bool,
    request: &mut Request<()>,
    body_length: u64,
) -> Result<Option<User>, Refusal> {
    let gateway = &worker.gateway;
    let rules = &route.rules;
    let mut cookies = Cookies::read(request.headers(), gateway.access_cookie, &rules.cookies);
    if rules.token == TokenRule::Ignored {
        cookies.access = None;
    }
    let is_from_here = gateway.origins.admit(
        request.method(),
        request.headers(),
        cookies.are_used(),
        is_upgrade,
    );

    let outcome = match rules.token {
        TokenRule::Ignored => Err(AuthError::NoToken),
        TokenRule::Required | TokenRule::Optional => match token(request.headers(), &cookies) {
            Ok(token) => gateway.verifier.verify(token).await,
            Err(error) => Err(error),
        },
    };
    let user = match &outcome {
        Ok(Principal::User(user)) => Some(user.clone()),
        Ok(Principal::Service(_)) | Err(_) => None,
    };
    route.admit(user.as_ref().map(User::id), client)?;
    if outcome == Err(AuthError::AmbiguousCredentials) {
        return Err(AuthError::AmbiguousCredentials.into());
    }
    if rules.token == TokenRule::Required {
        Policy::User.decide(outcome)?;
    }
    if !is_from_here {
        return Err(Refusal::CrossSite);
    }
    // A body whose length is unknown is measured while it passes.
    if body_length > rules.body_limit {
        return Err(Refusal::BodyTooLarge);
    }
    headers::set_credentials(request.headers_mut(), cookies);
    Ok(user)
}

/// The bearer token, or else the token of the access cookie. Both may be present only if they are equal.
fn token<'r>(headers: &'r HeaderMap, cookies: &'r Cookies) -> Result<&'r [u8], AuthError> {
    let cookie = cookies.access.as_deref().map(str::as_bytes);
    if !headers.contains_key(AUTHORIZATION) {
        return cookie.ok_or(AuthError::NoToken);
    }
    let values = headers.get_all(AUTHORIZATION).iter();
    let token = bearer_token(values.map(HeaderValue::as_bytes))?;
    match cookie {
        Some(cookie) if cookie != token => Err(AuthError::AmbiguousCredentials),
        _ => Ok(token),
    }
}

/// Refuses the methods that a service must not see: `TRACE` repeats the request's headers, and `CONNECT` opens a tunnel.
fn check_method(method: &Method) -> Result<(), Refusal> {
    if known_method(method.as_str()) == "other" {
        Err(Refusal::Method { allowed: METHODS })
    } else {
        Ok(())
    }
}

/// The host that the client named, in the request's target (absolute form, HTTP/2) or in `Host`. Empty if it is missing in
/// HTTP/1.0.
fn host(request: &Request<()>) -> Result<HeaderValue, Refusal> {
    let host = if let Some(authority) = request.uri().authority() {
        HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::Host)?
    } else {
        let mut hosts = request.headers().get_all(HOST).iter();
        match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.clone(),
            (None, _) if request.version() < Version::HTTP_11 => HeaderValue::from_static(""),
            _ => return Err(Refusal::Host),
        }
    };
    if is_host(host.as_bytes()) {
        Ok(host)
    } else {
        Err(Refusal::Host)
    }
}

/// The target of the request to the service: its path in normal form, and the query as the client sent it.
fn upstream_uri(path: String, query: Option<&str>) -> Result<Uri, Refusal> {
    let target = match query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let target = PathAndQuery::from_maybe_shared(bytes::Bytes::from(target)).map_err(|_| Refusal::Path)?;
    Ok(Uri::from(target))
}

fn client_address(worker: &Worker, peer: Peer, headers: &HeaderMap) -> IpAddr {
    let lines = headers
        .get_all("x-forwarded-for")
        .iter()
        .map(HeaderValue::as_bytes);
    worker.gateway.trusted_proxies.client(peer.address, lines)
}

/// The scheme that the client used: that of the connection, or what a trusted proxy says.
fn scheme(worker: &Worker, peer: Peer, headers: &HeaderMap) -> &'static str {
    let is_forwarded_https = || {
        headers
            .get(X_FORWARDED_PROTO)
            .is_some_and(|scheme| scheme == "https")
    };
    if peer.is_tls || worker.gateway.trusted_proxies.include(peer.address) && is_forwarded_https() {
        "https"
    } else {
        "http"
    }
}

/// Whether the client asks to turn the connection into a WebSocket (RFC 6455 §4.1). No other protocol is passed on: HTTP/2 over an
/// upgraded connection would pass requests by the gateway's rules.
fn wants_web_socket(request: &Request<()>) -> bool {
    let headers = request.headers();
    let names = |value: &HeaderValue, wanted: &str| {
        let value = value.to_str().unwrap_or_default();
        value
            .split(',')
            .any(|name| name.trim().eq_ignore_ascii_case(wanted))
    };
    let mut protocols = headers.get_all(UPGRADE).iter();
    let is_web_socket = match (protocols.next(), protocols.next()) {
        (Some(protocol), None) => protocol.as_bytes().eq_ignore_ascii_case(b"websocket"),
        _ => false,
    };
    request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && is_web_socket
        && headers
            .get_all(CONNECTION)
            .iter()
            .any(|value| names(value, "upgrade"))
}

/// The request's id: the client's own if it is plain, and otherwise a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    match headers.get(X_REQUEST_ID) {
        Some(id) if RequestId::is_plain(id.as_bytes()) => id.clone(),
        _ => {
            let mut buffer = Uuid::encode_buffer();
            let id: &str = Uuid::new_v4().hyphenated().encode_lower(&mut buffer);
            HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("none"))
        }
    }
}
