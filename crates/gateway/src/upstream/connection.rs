//! One connection to a service, and the exchange of one request and response on it.

use std::future::Future as _;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Upstream;
use crate::body::RequestBody;

/// How long opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The maximum length of a response's head, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The driver of a connection: it reads and writes whenever it is polled.
type Dispatch = http1::Connection<TokioIo<TcpStream>, RequestBody>;

/// A connection to a service. It carries one exchange at a time.
pub(crate) struct Connection {
    sender: SendRequest<RequestBody>,
    dispatch: Dispatch,
    is_closed: bool,
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
    pub(crate) async fn open(upstream: &Upstream) -> std::io::Result<Self> {
        let connect = TcpStream::connect((upstream.host.as_str(), upstream.port));
        let stream = timeout(CONNECT_TIMEOUT, connect).await??;
        stream.set_nodelay(true)?;
        let (sender, dispatch) = http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            .max_header_size(MAX_HEAD_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(std::io::Error::other)?;
        Ok(Self {
            sender,
            dispatch,
            is_closed: false,
        })
    }

    /// Sends a request and waits for the head of its response.
    pub(crate) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, SendError> {
        let mut response = pin!(self.sender.try_send_request(request));
        let (dispatch, is_closed) = (&mut self.dispatch, &mut self.is_closed);
        poll_fn(|cx| {
            if !*is_closed {
                *is_closed = Pin::new(&mut *dispatch).poll(cx).is_ready();
            }
            response.as_mut().poll(cx)
        })
        .await
        .map_err(|mut error| SendError {
            unsent: error.take_message(),
            error: error.into_error(),
        })
    }

    /// Moves bytes of the exchange in both directions, as far as possible without waiting.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.is_closed {
            self.is_closed = Pin::new(&mut self.dispatch).poll(cx).is_ready();
        }
    }

    /// Whether the connection is open and has no exchange, so that it can carry the next one.
    pub(crate) fn is_reusable(&mut self, cx: &mut Context<'_>) -> bool {
        self.drive(cx);
        !self.is_closed && matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(())))
    }

    /// The parts, for an exchange that takes the connection over.
    pub(crate) fn into_parts(self) -> (SendRequest<RequestBody>, Dispatch) {
        (self.sender, self.dispatch)
    }
}
