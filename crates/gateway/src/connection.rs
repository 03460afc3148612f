//! A client's connection: TLS if there is a certificate, then HTTP/1.1 or HTTP/2.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use service_kit::RefusalBodies;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, copy, sink};
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::task_local;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::body::ResponseBody;
use crate::deadline::Deadline;
use crate::handle;
use crate::headers::MAX_HEADERS;
use crate::phase::{InProgress, Phase};
use crate::watched_stream::WatchedStream;
use crate::worker::{Peer, Worker};

/// The maximum length of a request's head, in bytes. Longer ones are 431. A token has at most 8 KiB.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// The size of the buffer for each direction of a connection.
const BUFFER_BYTES: usize = 64 * 1024;
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client that connected just before a shutdown may take to send its first request.
const FIRST_REQUEST_TIME: Duration = Duration::from_secs(1);
/// How long the end of a connection may take, the arrival of its last response included.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_STREAMS: u32 = 100;
/// The interval of the pings that find out whether an HTTP/2 client is still there.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Answers the requests of one connection until it ends.
pub(crate) async fn serve(worker: Rc<Worker>, stream: TcpStream, peer: Peer, tls: Option<TlsAcceptor>) {
    let phase = Rc::new(Phase::new());
    let client = Client { worker, peer, phase };
    let Some(tls) = tls else {
        client.http1(stream).await;
        return;
    };
    let handshake = async {
        if speaks_plain_http(&stream).await? {
            close_with(stream, NO_TLS).await;
            return Err(io::Error::other("the client speaks HTTP without TLS"));
        }
        tls.accept(stream).await
    };
    let stream = match timeout(TLS_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => return tracing::debug!("a TLS handshake took too long"),
    };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        client.http2(stream).await;
    } else {
        client.http1(stream).await;
    }
}

/// Whether the first byte is not that of a TLS handshake (RFC 8446 §5.1), but a letter, as in the method of a request.
async fn speaks_plain_http(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    Ok(first[0].is_ascii_alphabetic())
}

/// One client's connection.
#[derive(Clone)]
struct Client {
    worker: Rc<Worker>,
    peer: Peer,
    phase: Rc<Phase>,
}

impl Client {
    async fn answer(self, request: Request<Incoming>) -> Result<Response<ResponseBody>, Infallible> {
        let in_progress = InProgress::begin(self.phase);
        // Only HTTP/2 has a task for each request.
        let _ = REQUEST.try_with(|number| number.set(Some(in_progress.number())));
        let response = handle::handle(self.worker, self.peer, request, &in_progress).await;
        Ok(response.map(|body| body.in_progress(in_progress)))
    }

    async fn http1<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: T) {
        let stream = WatchedStream::new(
            RefusalBodies::new(stream).only_while(self.phase.is_parsing()),
            self.phase.watch(),
        );
        let client = self.clone();
        let mut connection = http1::Builder::new()
            .max_buf_size(BUFFER_BYTES)
            .max_header_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .serve_connection(
                TokioIo::new(stream),
                service_fn(move |request| client.clone().answer(request)),
            )
            .with_upgrades();
        let ended = self
            .run(
                &mut connection,
                http1::UpgradeableConnection::graceful_shutdown,
                Phase::deadline,
            )
            .await;
        if let Some(Err(error)) = &ended {
            tracing::debug!(%error, "a connection ended early");
        }
        let is_slow_head = ended.is_none() && self.phase.is_in_head();
        // There are no parts after an upgrade.
        if let Some(parts) = connection.into_parts() {
            let last = if is_slow_head { SLOW_HEAD } else { b"" };
            close_with(parts.io.into_inner(), last).await;
        }
    }

    /// Waits until the connection should end. A client that has just connected gets a moment for its first request.
    async fn closing(&self) {
        self.worker.closing.cancelled().await;
        if self.phase.is_unused() {
            sleep(FIRST_REQUEST_TIME).await;
        }
    }

    async fn http2<T: AsyncRead + AsyncWrite + Unpin + 'static>(self, stream: T) {
        let client = self.clone();
        let mut connection = http2::Builder::new(StreamExecutor {
            phase: Rc::clone(&self.phase),
        })
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(PING_INTERVAL)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| client.clone().answer(request)),
        );
        let ended = self
            .run(
                &mut connection,
                http2::Connection::graceful_shutdown,
                Phase::deadline_of_next,
            )
            .await;
        match ended {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::debug!(%error, "a connection ended early"),
            None => {
                Pin::new(&mut connection).graceful_shutdown();
                drop(timeout(CLOSE_TIMEOUT, connection).await);
            }
        }
    }

    /// Runs a connection to its end. `None` if it has not ended in time.
    async fn run<C: Future + Unpin>(
        &self,
        connection: &mut C,
        graceful_shutdown: impl Fn(Pin<&mut C>),
        end: impl Fn(&Phase) -> Option<Instant>,
    ) -> Option<C::Output> {
        let mut closing = pin!(self.closing());
        let mut is_closing = false;
        let mut deadline = Deadline::default();
        poll_fn(|cx| {
            if !is_closing && closing.as_mut().poll(cx).is_ready() {
                is_closing = true;
                graceful_shutdown(Pin::new(connection));
            }
            if let Poll::Ready(ended) = Pin::new(&mut *connection).poll(cx) {
                return Poll::Ready(Some(ended));
            }
            deadline.poll(end(&self.phase), cx).map(|()| None)
        })
        .await
    }
}

/// The response to a head that does not arrive in time. The stream adds a body.
const SLOW_HEAD: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// The response to a client that does not use TLS.
const NO_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nUse https on this port.\n";

/// Writes the last bytes of a connection and closes it, so that the client receives the last response. The system would discard the
/// response if the client still sends, for example a body that was refused, and its bytes are not read (RFC 9112 §9.6).
async fn close_with<T: AsyncRead + AsyncWrite + Unpin>(mut stream: T, last: &[u8]) {
    let closing = async {
        stream.write_all(last).await?;
        stream.shutdown().await?;
        copy(&mut stream, &mut sink()).await
    };
    drop(timeout(CLOSE_TIMEOUT, closing).await);
}

task_local! {
    /// The number of the request of this task, which is an HTTP/2 stream.
    static REQUEST: Cell<Option<u64>>;
}

/// Runs each stream of an HTTP/2 connection in a task on the worker's own thread. A stream that has not ended in time is reset; the
/// others go on.
#[derive(Clone)]
struct StreamExecutor {
    phase: Rc<Phase>,
}

impl<F: Future + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, stream: F) {
        let phase = Rc::clone(&self.phase);
        let stream = async move {
            let mut stream = pin!(stream);
            let mut deadline = Deadline::default();
            poll_fn(|cx| {
                if stream.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                let end = REQUEST
                    .with(Cell::get)
                    .and_then(|number| phase.deadline_of(number));
                deadline.poll(end, cx)
            })
            .await;
        };
        spawn_local(REQUEST.scope(Cell::new(None), stream));
    }
}
