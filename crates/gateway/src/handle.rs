//! Handles one request: refuses what is malformed, identifies the caller, applies the rules of the route, and forwards.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use auth::{AuthError, IDENTITY_HEADER, Policy, Principal, User, bearer_token};
use http::header::{AUTHORIZATION, CONNECTION, HeaderMap, HeaderValue, ORIGIN, UPGRADE};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use service_kit::{TokenRule, known_method};

use crate::body::ResponseBody;
use crate::cookies::Cookies;
use crate::headers::{self, ForwardedFacts, MAX_HEADERS, X_REQUEST_ID};
use crate::identity::IdentitySigner;
use crate::phase::InProgress;
use crate::record::Record;
use crate::refusal::{METHODS, Refusal};
use crate::request_facts::{client_address, host, request_id, scheme, upstream_uri, wants_web_socket};
use crate::table::{Route, Table};
use crate::worker::{Peer, Worker};
use crate::{cors, forward, pages, path, tunnel};

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
        Ok(Checked::Admitted(admitted)) => send(&worker, admitted, body).await,
        Ok(Checked::Answered(response)) => Ok(response),
        Err(refusal) => Err(refusal),
    };
    let mut response = outcome.unwrap_or_else(|refusal| refusal.respond(record.request_id()));

    if forward::is_event_stream(response.headers()) {
        in_progress.limit(None);
    }
    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    cors::add_headers(origin.as_ref(), &worker.gateway.origins, headers);
    headers.insert(X_REQUEST_ID, request_id);
    // HTTP/2 has no such header: it announces the end of a connection by a frame. A tunnel ends by itself.
    if worker.gateway.is_draining() && version < Version::HTTP_2 && !switches {
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
    if let Some(page) = pages::answer(gateway, request.method(), &path).await {
        return page.map(Checked::Answered);
    }
    if let Some(answer) = cors::preflight(request.method(), request.headers(), &gateway.origins) {
        return answer.map(Checked::Answered);
    }

    let table = gateway.table();
    let route = Arc::clone(table.find(&path).ok_or(Refusal::NotFound)?);
    // The route may allow more time than a request has otherwise.
    in_progress.limit(Some(route.rules.timeout));
    record.route = Some(Arc::clone(&route));
    let uri = upstream_uri(route.upstream_path(&path), request.uri().query())?;
    let client = client_address(worker, peer, request.headers());
    let scheme = scheme(worker, peer, request.headers());
    let is_upgrade = route.rules.upgrade && length.is_empty && wants_web_socket(&request);
    let principal = authorize(worker, &route, client, is_upgrade, &mut request, &length).await?;
    let user = principal.as_ref().and_then(Principal::user);
    record.user = user.map(User::id);

    let protocol = request.headers().get(UPGRADE).cloned().filter(|_| is_upgrade);
    headers::clean_request(request.headers_mut());
    let facts = ForwardedFacts {
        user,
        role: user.and_then(|user| gateway.roles.highest(user.roles())),
        client,
        scheme,
        host,
        request_id: record.request_id.clone(),
        upstream_host: route.upstream.authority.clone(),
    };
    headers::add_facts(request.headers_mut(), facts);
    if let Some(signer) = &gateway.identity_signer {
        replace_token(worker, signer, principal.as_ref(), &route, request.headers_mut())?;
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
        None => forward::forward(worker, &table, &route, request).await,
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

/// Identifies the caller and applies the rules of the route. Leaves in `request` the credential and the cookies that the service
/// receives.
async fn authorize(
    worker: &Worker,
    route: &Route,
    client: IpAddr,
    is_upgrade: bool,
    request: &mut Request<()>,
    length: &BodyLength,
) -> Result<Option<Principal>, Refusal> {
    let gateway = &worker.gateway;
    let rules = &route.rules;
    let mut cookies = Cookies::read(request.headers(), gateway.access_cookie, &rules.cookies);
    if rules.token == TokenRule::Ignored {
        cookies.access = None;
    }
    let is_from_here = gateway.origins.allow(
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
    let user = outcome.as_ref().ok().and_then(Principal::user);
    route.check_rate(user.map(User::id), client)?;
    if outcome == Err(AuthError::AmbiguousCredentials) {
        return Err(AuthError::AmbiguousCredentials.into());
    }
    let principal = match rules.token {
        TokenRule::Required => Policy::User.decide(outcome)?,
        TokenRule::Optional | TokenRule::Ignored => outcome.ok(),
    };
    if !is_from_here {
        return Err(Refusal::CrossSite);
    }
    // A body whose length is unknown is measured while it passes.
    if length.minimum > rules.body_limit {
        return Err(Refusal::BodyTooLarge);
    }
    headers::set_credentials(request.headers_mut(), cookies);
    Ok(principal)
}

/// The bearer token, or else the token of the access cookie. Both may be present only if they are equal.
fn token<'r>(headers: &'r HeaderMap, cookies: &'r Cookies) -> Result<&'r [u8], AuthError> {
    let cookie = cookies.access.as_deref().map(str::as_bytes);
    let values = headers.get_all(AUTHORIZATION).iter();
    let token = match (bearer_token(values.map(HeaderValue::as_bytes)), cookie) {
        // No header, or one with another scheme, such as that of a proxy before the gateway.
        (Err(AuthError::NoToken), Some(cookie)) => cookie,
        (token, _) => token?,
    };
    match cookie {
        Some(cookie) if cookie != token => Err(AuthError::AmbiguousCredentials),
        _ => Ok(token),
    }
}

/// Replaces a user's access token by an identity token for the service of the route. The service must not receive a token that other
/// services accept, so only a service's own token stays.
fn replace_token(
    worker: &Worker,
    signer: &IdentitySigner,
    principal: Option<&Principal>,
    route: &Route,
    headers: &mut HeaderMap,
) -> Result<(), Refusal> {
    if let Some(user) = principal.and_then(Principal::user) {
        let token = worker.identities.token(signer, user, &route.upstream.name);
        headers.insert(IDENTITY_HEADER, token.ok_or(Refusal::Internal)?);
    }
    if !matches!(principal, Some(Principal::Service(_))) {
        headers.remove(AUTHORIZATION);
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
