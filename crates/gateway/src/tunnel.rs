//! WebSockets: after the service agrees to switch protocols, the gateway passes bytes in both directions.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until, timeout};

use crate::body::{RequestBody, ResponseBody, Upload, UpstreamBody};
use crate::forward::{admit, record_success, record_upstream_failure};
use crate::headers;
use crate::refusal::Refusal;
use crate::table::Route;
use crate::upstream::Connection;
use crate::watched_stream::{ReadWatch, WatchedStream};

/// How long no byte may pass in either direction.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// Passes an upgrade to the service. If the service agrees, the connection becomes a tunnel.
pub(crate) async fn open(
    route: &Route,
    mut request: Request<Incoming>,
    protocol: HeaderValue,
) -> Result<Response<ResponseBody>, Refusal> {
    let upstream = &route.upstream;
    admit(upstream)?;
    let client = hyper::upgrade::on(&mut request);
    let request_headers = request.headers_mut();
    request_headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    request_headers.insert(UPGRADE, protocol);
    let upload = Rc::new(Upload::default());
    let request = request.map(|body| RequestBody::new(body, route.rules.body_limit, upload));

    let unavailable = |error: &dyn std::error::Error| {
        record_upstream_failure(upstream, error);
        Refusal::Unavailable
    };
    let connection = Connection::open(upstream)
        .await
        .map_err(|error| unavailable(&error))?;
    let (mut sender, dispatch) = connection.into_parts();
    spawn_local(dispatch.with_upgrades());
    let mut response = timeout(route.rules.first_byte_timeout, sender.send_request(request))
        .await
        .map_err(|error| {
            record_upstream_failure(upstream, &error);
            Refusal::UpstreamTimeout
        })?
        .map_err(|error| unavailable(&error))?;
    record_success(upstream);

    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        headers::clean_response(response.headers_mut());
        let deadline = Instant::now() + route.rules.timeout;
        return Ok(response.map(|body| ResponseBody::upstream(UpstreamBody::driven(body, deadline))));
    }
    let service = hyper::upgrade::on(&mut response);
    spawn_local(async move {
        if let Err(error) = tunnel(client, service).await {
            tracing::debug!(%error, "a WebSocket ended");
        }
    });
    Ok(response.map(|_| ResponseBody::empty()))
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
