//! Ends connections at shutdown when there is no request on them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// How long a new connection may wait for its first request after shutdown was requested.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(1);
/// The only thing that is written between a request's head and its body.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A client's connection, whose input ends at shutdown if there is no request on it.
///
/// actix-http can end idle connections too, but discards requests that arrive at that moment and those of which it has read
/// only a part.
pub(super) struct EndWhenIdle {
    stream: TcpStream,
    shutdown: CancellationToken,
    /// Ready when the connection ends unless there is a request on it.
    end: Pin<Box<dyn Future<Output = ()>>>,
    has_ended: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing has been received yet.
    New,
    /// Part of a request has been received, and no part of its response has been sent.
    Busy,
    /// A response has been sent, or is being sent.
    Idle,
}

impl EndWhenIdle {
    pub(super) fn new(stream: TcpStream, shutdown: CancellationToken) -> Self {
        let requested = shutdown.clone().cancelled_owned();
        Self {
            stream,
            shutdown,
            end: Box::pin(async move {
                requested.await;
                tokio::time::sleep(FIRST_REQUEST_TIMEOUT).await;
            }),
            has_ended: false,
            state: State::New,
        }
    }

    fn received(&mut self) {
        if self.state == State::New {
            self.end = Box::pin(self.shutdown.clone().cancelled_owned());
        }
        self.state = State::Busy;
    }

    fn sent(&mut self, bytes: &[u8], cx: &Context<'_>) {
        if self.state == State::Busy && bytes != CONTINUE {
            self.state = State::Idle;
            if self.has_ended {
                // No input will wake the reader, who must see the end.
                cx.waker().wake_by_ref();
            }
        }
    }

    /// Whether there is input that the runtime may not have noticed yet.
    fn has_input(&self) -> bool {
        let mut sockets = [PollFd::new(&self.stream, PollFlags::IN)];
        poll(&mut sockets, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }
}

impl AsyncRead for EndWhenIdle {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buf) {
            if buf.filled().len() > before {
                this.received();
            }
            return Poll::Ready(read);
        }
        if !this.has_ended {
            ready!(this.end.as_mut().poll(cx));
            this.has_ended = true;
        }
        if this.state == State::Busy || this.has_input() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for EndWhenIdle {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.sent(bytes, cx);
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A client, the service's end of its connection, and the shutdown.
    async fn connected() -> (std::net::TcpStream, EndWhenIdle, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let shutdown = CancellationToken::new();
        (client, EndWhenIdle::new(stream, shutdown.clone()), shutdown)
    }

    async fn read(stream: &mut EndWhenIdle) -> String {
        let mut bytes = [0; 64];
        let read = stream.read(&mut bytes).await.unwrap();
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    }

    #[tokio::test]
    async fn a_connection_ends_after_its_response() {
        let (mut client, mut stream, shutdown) = connected().await;
        client.write_all(b"request").unwrap();
        assert_eq!(read(&mut stream).await, "request");
        shutdown.cancel();
        assert!(read(&mut stream).now_or_never().is_none());
        stream.write_all(CONTINUE).await.unwrap();
        assert!(read(&mut stream).now_or_never().is_none(), "its body is missing");
        stream.write_all(b"response").await.unwrap();
        assert_eq!(read(&mut stream).await, "");
    }

    #[tokio::test]
    async fn input_that_arrives_with_the_shutdown_is_read() {
        let (mut client, mut stream, shutdown) = connected().await;
        client.write_all(b"request").unwrap();
        assert_eq!(read(&mut stream).await, "request");
        stream.write_all(b"response").await.unwrap();
        assert!(read(&mut stream).now_or_never().is_none());
        // The runtime has no chance to notice the input before the end.
        client.write_all(b"next").unwrap();
        shutdown.cancel();
        assert_ne!(read(&mut stream).now_or_never().as_deref(), Some(""));
        assert_eq!(read(&mut stream).await, "next");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_has_a_second_for_its_first_request() {
        let (_client, mut stream, shutdown) = connected().await;
        let started = tokio::time::Instant::now();
        shutdown.cancel();
        assert_eq!(read(&mut stream).await, "");
        assert_eq!(started.elapsed(), FIRST_REQUEST_TIMEOUT);

        let (mut client, mut stream, shutdown) = connected().await;
        shutdown.cancel();
        assert!(read(&mut stream).now_or_never().is_none());
        client.write_all(b"request").unwrap();
        assert_eq!(read(&mut stream).await, "request");
    }
}
