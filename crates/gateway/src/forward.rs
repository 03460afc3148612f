//! Forwards a request to its service, and passes the response on.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use auth::{Backoff, User};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, TRANSFER_ENCODING};
use http::{Request, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::{Instant, sleep_until};

use crate::body::{BodyEnd, Driver, RequestBody, ResponseBody, Upload, UpstreamBody};
use crate::phase::InProgress;
use crate::refusal::Refusal;
use crate::table::{Route, Table};
use crate::upstream::{Connection, Pool, SendError, Upstream};
use crate::worker::Worker;
use crate::{cookies, headers};

/// The wait before a service that does not accept connections is tried again.
const RECONNECT: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(500));
/// How often an upload is checked for its end, from which the wait for the response is counted.
const UPLOAD_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Why a service has sent no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("can't connect: {0}")]
    Connect(#[source] io::Error),
    #[error("no response in time")]
    Timeout,
    #[error("{0}")]
    Broken(#[source] hyper::Error),
    #[error("an unexpected switch of protocols")]
    UnexpectedStatus,
    /// Not the service's failure: the client's body ended early.
    #[error("{0}")]
    Client(Refusal),
}

/// Sends the request to the service of the route.
pub(crate) async fn forward(
    worker: &Worker,
    user: Option<&User>,
    table: &Table,
    route: &Route,
    mut request: Request<Incoming>,
    in_progress: &InProgress,
) -> Result<Response<ResponseBody>, Refusal> {
    let upstream = &route.upstream;
    upstream.check_circuit()?;

    let upload = Rc::new(Upload::default());
    mark_chunked(&mut request);
    let request = request.map(|body| RequestBody::new(body, route.rules.body_limit, Rc::clone(&upload)));
    let deadline = Instant::now() + route.rules.timeout;
    let (mut response, connection) = exchange(&worker.pool, route, request, &upload, deadline)
        .await
        .map_err(|failure| record_failure(upstream, &failure))?;
    // The service's version is that of its connection only (RFC 9110 §2.5).
    *response.version_mut() = Version::HTTP_11;
    if response.status().is_informational() {
        // The request asked for no switch of protocols.
        return Err(record_failure(upstream, &Failure::UnexpectedStatus));
    }
    upstream.record_success();

    headers::clean_response(response.headers_mut());
    cookies::protect_sessions(response.headers_mut(), &upstream.name);
    rewrite_location(response.headers_mut(), table, upstream);
    let end = if is_event_stream(response.headers()) {
        let valid_for = user.map(|user| worker.gateway.time_left(user));
        // The body itself can't end while the client does not read it.
        in_progress.limit(valid_for);
        BodyEnd::Token(valid_for.map(|valid_for| Instant::now() + valid_for))
    } else {
        BodyEnd::Deadline(deadline)
    };
    let (parts, body) = response.into_parts();
    let body = if body.is_end_stream() {
        // The server does not poll an empty body, so the connection is returned here.
        worker.pool.put_if_reusable(upstream, connection);
        ResponseBody::empty()
    } else {
        let pool = Rc::clone(&worker.pool);
        let driver = Driver::Body { connection, pool };
        let body = UpstreamBody::new(body, Arc::clone(upstream), upload, driver, end);
        ResponseBody::upstream(body)
    };
    Ok(Response::from_parts(parts, body))
}

/// Announces a body of unknown length. The HTTP library would otherwise drop the body of a `GET`.
fn mark_chunked(request: &mut Request<Incoming>) {
    let body = request.body();
    if !body.is_end_stream() && body.size_hint().exact().is_none() {
        let chunked = HeaderValue::from_static("chunked");
        request.headers_mut().insert(TRANSFER_ENCODING, chunked);
    }
}

/// Sends the request, on a pooled connection if there is one. A pooled connection that fails is replaced by a new one once, if the
/// request can be repeated: either the service can't have received it, or it is idempotent and has no body (RFC 9110 §9.2.2).
async fn exchange(
    pool: &Pool,
    route: &Route,
    mut request: Request<RequestBody>,
    upload: &Rc<Upload>,
    deadline: Instant,
) -> Result<(Response<Incoming>, Box<Connection>), Failure> {
    let mut pooled = pool.take(&route.upstream);
    loop {
        let is_pooled = pooled.is_some();
        let mut connection = match pooled.take() {
            Some(connection) => connection,
            // In a box, as it is rare: each request would be larger.
            None => Box::pin(connect(route, deadline))
                .await
                .map_err(Failure::Connect)?,
        };
        let spare = is_pooled.then(|| copy(&request, upload)).flatten();
        let sent = connection.send(request);
        let first_byte = route.rules.first_byte_timeout;
        let SendError { error, unsent } = match first_byte_in_time(sent, upload, first_byte, deadline).await {
            None if upload.waits_for_client.get() => return Err(Failure::Client(Refusal::BodyTimeout)),
            None => return Err(Failure::Timeout),
            Some(Ok(response)) => return Ok((response, connection)),
            Some(Err(error)) => error,
        };
        if let Some(fault) = upload.fault.get() {
            return Err(Failure::Client(fault));
        }
        request = match unsent.or(spare) {
            Some(request) if is_pooled => request,
            _ => return Err(Failure::Broken(error)),
        };
    }
}

/// Opens a connection, and tries again if the service does not accept it.
pub(crate) async fn connect(route: &Route, deadline: Instant) -> io::Result<Box<Connection>> {
    let mut failures = 0;
    loop {
        let error = match Connection::open(&route.upstream).await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        failures += 1;
        let retry_at = Instant::now() + RECONNECT.delay(failures);
        if failures > route.rules.retries || retry_at >= deadline {
            return Err(error);
        }
        sleep_until(retry_at).await;
    }
}

/// A copy of a request that can be repeated.
fn copy(request: &Request<RequestBody>, upload: &Rc<Upload>) -> Option<Request<RequestBody>> {
    if !request.method().is_idempotent() || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(RequestBody::empty(Rc::clone(upload)));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

/// Waits for the head of a response for at most `limit` after the request's body was sent, and at most until `deadline`. `None`
/// if it does not arrive in time.
async fn first_byte_in_time<F: Future>(
    sent: F,
    upload: &Upload,
    limit: Duration,
    deadline: Instant,
) -> Option<F::Output> {
    let first_end = (Instant::now() + limit).min(deadline);
    let (mut sent, mut timer) = (pin!(sent), pin!(sleep_until(first_end)));
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = sent.as_mut().poll(cx) {
            return Poll::Ready(Some(outcome));
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            let now = Instant::now();
            let next = match upload.ended_at.get() {
                Some(ended_at) => ended_at + limit,
                None => now + UPLOAD_CHECK_INTERVAL,
            };
            let next = next.min(deadline);
            if next <= now {
                return Poll::Ready(None);
            }
            timer.as_mut().reset(next);
        }
    })
    .await
}

pub(crate) fn record_failure(upstream: &Upstream, failure: &Failure) -> Refusal {
    let refusal = match failure {
        Failure::Client(refusal) => return *refusal,
        Failure::Timeout => Refusal::UpstreamTimeout,
        Failure::Connect(_) | Failure::Broken(_) | Failure::UnexpectedStatus => Refusal::Unavailable,
    };
    upstream.record_failure(failure);
    refusal
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|media_type| media_type.as_bytes().starts_with(b"text/event-stream"))
}

/// Replaces a service's own path in `Location` by the path that leads there through the gateway.
pub(crate) fn rewrite_location(headers: &mut HeaderMap, table: &Table, upstream: &Upstream) {
    let Some(location) = headers.get(LOCATION).and_then(|location| location.to_str().ok()) else {
        return;
    };
    let location = location.strip_prefix(&upstream.url).unwrap_or(location);
    let end = location.find(['?', '#']).unwrap_or(location.len());
    let (path, rest) = location.split_at(end);
    let rewritten = table
        .public_path(&upstream.name, path)
        .and_then(|public| HeaderValue::from_str(&format!("{public}{rest}")).ok());
    if let Some(rewritten) = rewritten {
        headers.insert(LOCATION, rewritten);
    }
}

#[cfg(test)]
mod tests {
    use service_kit::{Env, Settings};

    use super::*;
    use crate::NAME;

    /// How long the attempts to connect to a service that is not there take, if they must end by this time.
    async fn time_to_fail(limit: Duration) -> Duration {
        // A port that was free a moment ago.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let mut env = Env::from_vars(NAME, [("PRODUCT_SERVICE_URL", url.as_str())]);
        let settings = Settings::read(&mut env, NAME);
        let table = Table::read(&mut env, &settings, &Table::default());
        let route = table.find("/api/products").unwrap();
        assert_eq!(route.rules.retries, 2);

        let started = Instant::now();
        assert!(connect(route, started + limit).await.is_err());
        started.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_for_a_response_ends_at_the_deadline_at_the_latest() {
        for (limit, deadline, expected) in [(10, 3, 3), (3, 10, 3)] {
            let seconds = Duration::from_secs;
            let upload = Upload::default();
            upload.ended_at.set(Some(Instant::now()));
            let started = Instant::now();
            let never = std::future::pending::<()>();
            let outcome =
                first_byte_in_time(never, &upload, seconds(limit), started + seconds(deadline)).await;
            assert_eq!((outcome, started.elapsed().as_secs()), (None, expected));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn connecting_is_tried_again_twice_and_not_beyond_the_deadline() {
        // The first wait is 50 to 100 ms, the second 100 to 200, a third one would be 200 to 400.
        let elapsed = time_to_fail(Duration::from_secs(30)).await.as_millis();
        assert!((150..=310).contains(&elapsed), "{elapsed}");
        let elapsed = time_to_fail(Duration::from_millis(40)).await.as_millis();
        assert!(elapsed < 10, "{elapsed}");
    }
}
