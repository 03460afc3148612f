//! One connection to a service, and the exchange of one request and response on it.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::Upstream;
use crate::body::RequestBody;
use crate::watched_stream::{ReadWatch, WatchedStream};

/// How long opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The maximum length of a response's head, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The maximum number of bytes up to the end of a response's head, with all interim responses (1xx), whose number has no limit in
/// HTTP.
const MAX_BYTES_TO_HEAD: usize = 256 * 1024;

/// The driver of a connection: each poll reads and writes as much as possible.
type Dispatch = http1::Connection<TokioIo<WatchedStream<TcpStream, HeadLimit>>, RequestBody>;

/// A connection to a service. It carries one exchange at a time. It is large, so it is moved in a box.
pub(crate) struct Connection {
    sender: SendRequest<RequestBody>,
    /// `None` after the connection has ended. A driver that has ended is dropped: it would keep a request that it did not send.
    dispatch: Option<Dispatch>,
    bytes_to_head: Arc<AtomicUsize>,
}

/// Why there is no response.
pub(crate) struct SendError {
    /// The error of the HTTP library.
    pub error: hyper::Error,
    /// The request, if the service can't have received any part of it.
    pub unsent: Option<Request<RequestBody>>,
}

impl Connection {
    /// Opens a connection.
    ///
    /// # Errors
    /// When the service does not accept it within a second.
    pub(crate) async fn open(upstream: &Upstream) -> io::Result<Box<Self>> {
        let connect = TcpStream::connect((upstream.host.as_str(), upstream.port));
        let stream = timeout(CONNECT_TIMEOUT, connect).await??;
        stream.set_nodelay(true)?;
        let bytes_to_head = Arc::new(AtomicUsize::new(MAX_BYTES_TO_HEAD));
        let stream = WatchedStream::new(stream, HeadLimit(Arc::clone(&bytes_to_head)));
        let (sender, dispatch) = http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            .max_header_size(MAX_HEAD_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        Ok(Box::new(Self {
            sender,
            dispatch: Some(dispatch),
            bytes_to_head,
        }))
    }

    /// Sends a request and waits for the head of its response.
    pub(crate) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, SendError> {
        self.bytes_to_head.store(MAX_BYTES_TO_HEAD, Ordering::Relaxed);
        let bytes_to_head = &self.bytes_to_head;
        let mut response = pin!(self.sender.try_send_request(request));
        let dispatch = &mut self.dispatch;
        poll_fn(|cx| {
            drive(dispatch, cx);
            response.as_mut().poll(cx)
        })
        .await
        .inspect(|_| bytes_to_head.store(usize::MAX, Ordering::Relaxed))
        .map_err(|mut error| SendError {
            unsent: error.take_message(),
            error: error.into_error(),
        })
    }

    /// Moves bytes of the exchange in both directions, as far as possible without waiting.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.dispatch, cx);
    }

    /// Whether the connection is open and has no exchange, so that it can carry the next one.
    pub(crate) fn is_reusable(&mut self) -> bool {
        // No task waits for an idle connection.
        let mut cx = Context::from_waker(Waker::noop());
        self.drive(&mut cx);
        self.dispatch.is_some() && matches!(self.sender.poll_ready(&mut cx), Poll::Ready(Ok(())))
    }

    /// Sends a request to switch protocols, and waits for the head of its response. The connection belongs to that request.
    pub(crate) async fn send_upgrade(
        self: Box<Self>,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        let Self {
            mut sender,
            dispatch,
            bytes_to_head,
            ..
        } = *self;
        if let Some(dispatch) = dispatch {
            spawn_local(dispatch.with_upgrades());
        }
        let response = sender.send_request(request).await?;
        bytes_to_head.store(usize::MAX, Ordering::Relaxed);
        Ok(response)
    }
}

fn drive(dispatch: &mut Option<Dispatch>, cx: &mut Context<'_>) {
    if let Some(driver) = dispatch
        && Pin::new(driver).poll(cx).is_ready()
    {
        *dispatch = None;
    }
}

/// Fails reads when the service has sent too many bytes and no head of a response.
struct HeadLimit(Arc<AtomicUsize>);

impl ReadWatch for HeadLimit {
    fn read(&mut self, bytes: usize) -> io::Result<()> {
        let left = self.0.load(Ordering::Relaxed).checked_sub(bytes);
        let left = left.ok_or_else(|| io::Error::other("the head of the response is too long"))?;
        self.0.store(left, Ordering::Relaxed);
        Ok(())
    }
}
