//! The service behind the measured gateways. It runs on the load generator's thread, so that the measured core has only the gateway.

use std::net::Ipv4Addr;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::Failure;

/// The path of a small JSON object. The service also accepts bodies there.
pub(super) const SMALL: &str = "/products/42";
/// The path of a response as long as [`BODY_BYTES`].
pub(super) const LARGE: &str = "/products/large";
/// The path of a response that has the user's id which the service received.
pub(super) const ECHO: &str = "/products/echo";
/// The path of the key set.
pub(super) const KEYS: &str = "/keys";
/// 64 KiB.
pub(super) const BODY_BYTES: usize = 64 * 1024;

const PRODUCT: &[u8] = br#"{"id":42,"name":"Lamp","price_cents":1999,"currency":"EUR"}"#;

/// A running service. Dropping this stops it.
#[derive(Debug)]
pub(super) struct Backend {
    pub port: u16,
    accepting: AbortHandle,
}

impl Backend {
    /// Serves on a free port. Gateways fetch `key_set` there.
    pub(super) async fn start(key_set: &str) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let bodies = Arc::new(Bodies {
            large: Bytes::from(vec![b'x'; BODY_BYTES]),
            keys: Bytes::copy_from_slice(key_set.as_bytes()),
        });
        let accepting = tokio::spawn(async move {
            // An error ends the service, and the requests that fail then end the benchmark.
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&bodies)));
            }
        });
        Ok(Self {
            port,
            accepting: accepting.abort_handle(),
        })
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Bodies {
    large: Bytes,
    keys: Bytes,
}

async fn serve(stream: TcpStream, bodies: Arc<Bodies>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let answer = service_fn(|request| answer(request, &bodies));
    // The gateway sees a broken connection, too, and the load generator counts the error.
    drop(
        http1::Builder::new()
            .serve_connection(TokioIo::new(stream), answer)
            .await,
    );
}

/// Answers when the whole request has arrived. A gateway may remove the first part of the path.
async fn answer(request: Request<Incoming>, bodies: &Bodies) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, mut body) = request.into_parts();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    let path = head.uri.path();
    let body = if path.ends_with(LARGE) {
        bodies.large.clone()
    } else if path.ends_with(ECHO) {
        Bytes::from(user_ids(&head.headers))
    } else if path.ends_with(KEYS) {
        bodies.keys.clone()
    } else {
        Bytes::from_static(PRODUCT)
    };
    let mut response = Response::new(Full::new(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

/// All values of `x-user-id`, separated by commas.
fn user_ids(headers: &HeaderMap) -> String {
    let ids = headers.get_all("x-user-id").iter();
    let ids: Vec<_> = ids.map(|id| id.to_str().unwrap_or("not text")).collect();
    ids.join(",")
}
