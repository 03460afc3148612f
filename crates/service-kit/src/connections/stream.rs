//! The stream between a client and the parser.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::refusal;
use super::upgrade::hide_upgrade;

/// Passes bytes on, but hides `Upgrade` headers from the parser, and gives the parser's own refusals a body.
pub(super) struct ClientStream<T>(RefusalBodies<T>);

/// Passes bytes on, but gives the refusals of an HTTP parser a body: problem details. A parser refuses a request by an empty
/// response, before any code sees the request.
#[derive(Debug)]
pub struct RefusalBodies<T> {
    stream: T,
    /// Whether the parser may refuse a request now. `None`: always.
    is_parsing: Option<Arc<AtomicBool>>,
    refusal: Option<Refusal>,
}

/// A refusal that is being sent in place of the parser's.
#[derive(Debug)]
struct Refusal {
    bytes: Vec<u8>,
    sent: usize,
}

impl<T> ClientStream<T> {
    pub(super) fn new(stream: T) -> Self {
        Self(RefusalBodies::new(stream))
    }
}

impl<T> RefusalBodies<T> {
    /// Wraps the stream of a connection.
    pub fn new(stream: T) -> Self {
        Self {
            stream,
            is_parsing: None,
            refusal: None,
        }
    }

    /// Looks for refusals only while the flag is set: a response could contain the same bytes.
    #[must_use]
    pub fn only_while(self, is_parsing: Arc<AtomicBool>) -> Self {
        Self {
            is_parsing: Some(is_parsing),
            ..self
        }
    }

    fn is_parsing(&self) -> bool {
        self.is_parsing
            .as_ref()
            .is_none_or(|is_parsing| is_parsing.load(Ordering::Relaxed))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for ClientStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let start = buf.filled().len();
        ready!(Pin::new(&mut self.0).poll_read(cx, buf))?;
        if let Some(received) = buf.filled_mut().get_mut(start..) {
            hide_upgrade(received);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for ClientStream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for RefusalBodies<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for RefusalBodies<T> {
    /// The parser's refusal is the last thing that is written on a connection. It stands at the end of `bytes`, possibly
    /// behind earlier responses, which are written first.
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.refusal.is_none() {
            let start = this.is_parsing().then(|| refusal::find(bytes)).flatten();
            match start {
                Some(0) => {
                    this.refusal = Some(Refusal {
                        bytes: refusal::with_body(bytes),
                        sent: 0,
                    });
                }
                Some(start) => {
                    let earlier = bytes.get(..start).unwrap_or(bytes);
                    return Pin::new(&mut this.stream).poll_write(cx, earlier);
                }
                None => return Pin::new(&mut this.stream).poll_write(cx, bytes),
            }
        }
        if let Some(refusal) = &mut this.refusal {
            while let Some(rest) = refusal.bytes.get(refusal.sent..).filter(|rest| !rest.is_empty()) {
                match ready!(Pin::new(&mut this.stream).poll_write(cx, rest))? {
                    0 => return Poll::Ready(Ok(0)),
                    written => refusal.sent += written,
                }
            }
        }
        this.refusal = None;
        Poll::Ready(Ok(bytes.len()))
    }

    /// A refusal has one buffer. Several buffers are a response with a body.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match buffers {
            [bytes] => self.poll_write(cx, bytes),
            buffers => Pin::new(&mut self.stream).poll_write_vectored(cx, buffers),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const REFUSAL: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

    #[actix_web::test]
    async fn a_refusal_is_completed_also_when_the_client_reads_slowly() {
        let (client, service) = tokio::io::duplex(7);
        let earlier = "HTTP/1.1 200 OK\r\nx-request-id: a\r\ncontent-length: 2\r\n\r\n{}";
        let sending = async {
            let mut stream = ClientStream::new(service);
            stream
                .write_all(format!("{earlier}{REFUSAL}").as_bytes())
                .await
                .unwrap();
            stream.shutdown().await.unwrap();
        };
        let receiving = async {
            let (mut client, mut received) = (client, String::new());
            client.read_to_string(&mut received).await.unwrap();
            received
        };
        let ((), received) = tokio::join!(sending, receiving);
        let refusal = received.strip_prefix(earlier).unwrap();
        assert!(refusal.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{refusal}");
        assert!(refusal.ends_with('}'), "{refusal}");
    }
}
