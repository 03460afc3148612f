//! A stream that reports the bytes that are read from it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Is notified of the bytes that are read from a stream.
pub(crate) trait ReadWatch: Unpin {
    /// Called after each read of at least one byte, with the number of bytes.
    ///
    /// # Errors
    /// Fails the read, if no more should be read.
    fn read(&mut self, bytes: usize) -> io::Result<()>;
}

/// A stream with a watch. It passes all bytes on unchanged.
pub(crate) struct WatchedStream<T, W> {
    stream: T,
    watch: W,
}

impl<T, W> WatchedStream<T, W> {
    pub(crate) fn new(stream: T, watch: W) -> Self {
        Self { stream, watch }
    }
}

impl<T: AsyncRead + Unpin, W: ReadWatch> AsyncRead for WatchedStream<T, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        match buf.filled().len() - before {
            0 => Poll::Ready(Ok(())),
            bytes => Poll::Ready(self.watch.read(bytes)),
        }
    }
}

impl<T: AsyncWrite + Unpin, W: Unpin> AsyncWrite for WatchedStream<T, W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
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
