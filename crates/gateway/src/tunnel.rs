//! WebSockets: after the service agrees to switch protocols, the gateway passes bytes in both directions.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use auth::User;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::body::{BodyEnd, Driver, RequestBody, ResponseBody, Upload, UpstreamBody};
use crate::forward::{Failure, connect, record_failure, rewrite_location};
use crate::refusal::Refusal;
use crate::table::{Route, Table};
use crate::watched_stream::{ReadWatch, WatchedStream};
use crate::worker::Worker;
use crate::{cookies, headers};

/// How long no byte may pass in either direction.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// Passes an upgrade to the service. If the service agrees, the connection becomes a tunnel. The tunnel ends when the token that
/// admitted the user expires.
pub(crate) async fn open(
    worker: &Worker,
    user: Option<&User>,
    table: &Table,
    route: &Route,
    mut request: Request<Incoming>,
    protocol: HeaderValue,
) -> Result<Response<ResponseBody>, Refusal> {
    let upstream = &route.upstream;
    upstream.check_circuit()?;
    let client = hyper::upgrade::on(&mut request);
    let request_headers = request.headers_mut();
    request_headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    request_headers.insert(UPGRADE, protocol);
    let upload = Rc::new(Upload::default());
    let request = request.map(|body| RequestBody::new(body, route.rules.body_limit, Rc::clone(&upload)));

    let deadline = Instant::now() + route.rules.timeout;
    let mut response = exchange(route, request, deadline)
        .await
        .map_err(|failure| record_failure(upstream, &failure))?;
    *response.version_mut() = Version::HTTP_11;
    upstream.record_success();

    let accepted = response.headers().get(UPGRADE).cloned();
    headers::clean_response(response.headers_mut());
    cookies::protect_sessions(response.headers_mut(), &upstream.name);
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        rewrite_location(response.headers_mut(), table, upstream);
        return Ok(response.map(|body| {
            let upstream = Arc::clone(upstream);
            let body = UpstreamBody::new(body, upstream, upload, Driver::Other, BodyEnd::Deadline(deadline));
            ResponseBody::upstream(body)
        }));
    }
    let response_headers = response.headers_mut();
    response_headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response_headers.extend(accepted.map(|protocol| (UPGRADE, protocol)));
    let service = hyper::upgrade::on(&mut response);
    // A tunnel without a user has no such limit.
    let valid_for = user.map_or(Duration::MAX, |user| worker.gateway.time_left(user));
    let (closing, expired) = (worker.closing.clone(), sleep(valid_for));
    worker.connections.spawn_local(async move {
        tokio::select! {
            ended = tunnel(client, service) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a WebSocket ended early");
                }
            }
            () = expired => tracing::debug!("a WebSocket ended with its token"),
            () = closing.cancelled() => {}
        }
    });
    Ok(response.map(|_| ResponseBody::empty()))
}

/// Sends the request on a new connection, and waits for the head of the response.
async fn exchange(
    route: &Route,
    request: Request<RequestBody>,
    deadline: Instant,
) -> Result<Response<Incoming>, Failure> {
    let connection = connect(route, deadline).await.map_err(Failure::Connect)?;
    let end = (Instant::now() + route.rules.first_byte_timeout).min(deadline);
    let sent = timeout_at(end, connection.send_upgrade(request)).await;
    sent.map_err(|_| Failure::Timeout)?.map_err(Failure::Broken)
}

/// Passes bytes until one side ends, or no byte has passed for a while.
async fn tunnel(client: OnUpgrade, service: OnUpgrade) -> Result<(), Box<dyn std::error::Error>> {
    let last_byte = Rc::new(Cell::new(Instant::now()));
    let watched = |io| WatchedStream::new(TokioIo::new(io), LastByte(Rc::clone(&last_byte)));
    let (mut client, mut service) = (watched(client.await?), watched(service.await?));
    tokio::select! {
        ended = copy_bidirectional(&mut client, &mut service) => drop(ended?),
        () = idle(&last_byte) => {}
    }
    Ok(())
}

/// Ends when no byte has passed for [`IDLE_TIMEOUT`].
async fn idle(last_byte: &Cell<Instant>) {
    loop {
        let end = last_byte.get() + IDLE_TIMEOUT;
        if Instant::now() >= end {
            return;
        }
        sleep_until(end).await;
    }
}

/// Notes when bytes pass.
struct LastByte(Rc<Cell<Instant>>);

impl ReadWatch for LastByte {
    fn read(&mut self, _: usize) -> io::Result<()> {
        self.0.set(Instant::now());
        Ok(())
    }
}
