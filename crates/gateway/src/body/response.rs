//! The body of a response, on its way from the service to the client.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{BodyError, Upload};
use crate::deadline::Deadline;
use crate::phase::InProgress;
use crate::record::Record;
use crate::upstream::{Connection, Pool, Upstream};

/// How long a service may send no part of a body.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// The same for a stream of events, which may have nothing to report for long.
const STREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// The body of a response. The request is recorded when the body is dropped.
pub(crate) struct ResponseBody {
    source: Source,
    record: Option<Record>,
    in_progress: Option<InProgress>,
}

enum Source {
    /// Nothing, or nothing more.
    Empty,
    /// The gateway's own text.
    Full(Bytes),
    Upstream(Box<UpstreamBody>),
}

impl ResponseBody {
    pub(crate) fn empty() -> Self {
        Self::from(Source::Empty)
    }

    pub(crate) fn full(text: impl Into<Bytes>) -> Self {
        Self::from(Source::Full(text.into()))
    }

    pub(crate) fn upstream(body: UpstreamBody) -> Self {
        Self::from(Source::Upstream(Box::new(body)))
    }

    fn from(source: Source) -> Self {
        Self {
            source,
            record: None,
            in_progress: None,
        }
    }

    /// Removes the gateway's own text, as in a response to `HEAD`, and returns its length.
    pub(crate) fn remove_text(&mut self) -> Option<usize> {
        let Source::Full(text) = &self.source else {
            return None;
        };
        let length = text.len();
        self.source = Source::Empty;
        Some(length)
    }

    /// Ends the request when this body is dropped.
    pub(crate) fn in_progress(mut self, in_progress: InProgress) -> Self {
        self.in_progress = Some(in_progress);
        self
    }

    /// Records the request when this body is dropped.
    pub(crate) fn recorded(mut self, record: Record) -> Self {
        self.record = Some(record);
        self
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.source {
            Source::Empty => Poll::Ready(None),
            Source::Full(text) => {
                let text = std::mem::take(text);
                self.source = Source::Empty;
                Poll::Ready(Some(Ok(Frame::data(text))))
            }
            Source::Upstream(body) => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Empty => true,
            Source::Full(text) => text.is_empty(),
            Source::Upstream(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Empty => SizeHint::with_exact(0),
            Source::Full(text) => SizeHint::with_exact(text.len() as u64),
            Source::Upstream(body) => body.incoming.size_hint(),
        }
    }
}

/// The body of a service's response. It drives the connection that the body arrives on, and returns the connection to the pool at
/// its end. A body that is dropped before its end closes the connection.
pub(crate) struct UpstreamBody {
    incoming: Incoming,
    upstream: Arc<Upstream>,
    /// The body of the request, which may still be on its way.
    upload: Rc<Upload>,
    driver: Driver,
    timer: BodyTimer,
}

/// How the connection of a body is driven.
pub(crate) enum Driver {
    /// By the body itself.
    Body {
        connection: Box<Connection>,
        pool: Rc<Pool>,
    },
    /// By another task, or not any longer, because the exchange is complete.
    Other,
}

impl UpstreamBody {
    pub(crate) fn new(
        incoming: Incoming,
        upstream: Arc<Upstream>,
        upload: Rc<Upload>,
        driver: Driver,
        end: BodyEnd,
    ) -> Self {
        Self {
            incoming,
            upstream,
            upload,
            driver,
            timer: BodyTimer::new(end),
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.timer.token_has_expired() {
            return self.end_with_token();
        }
        self.drive(cx);
        let mut polled = Pin::new(&mut self.incoming).poll_frame(cx);
        if polled.is_pending() {
            // Polling the body may have asked the connection for more.
            self.drive(cx);
            polled = Pin::new(&mut self.incoming).poll_frame(cx);
        }
        match polled {
            Poll::Pending => {
                ready!(self.timer.poll(cx));
                if self.timer.token_has_expired() {
                    return self.end_with_token();
                }
                self.fail(BodyError::UpstreamTimeout)
            }
            Poll::Ready(None) => {
                self.finish();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => self.fail(error.into()),
            // Trailers are headers of a service that were not looked at.
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => {
                self.finish();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(frame))) => {
                self.timer.note_progress();
                // The server does not ask again after a body of known length is complete.
                if self.incoming.is_end_stream() {
                    self.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn fail(&self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        // Not if the client's body broke off, which ends the exchange.
        if self.upload.fault.get().is_none() {
            self.upstream.record_broken_body(&error);
        }
        Poll::Ready(Some(Err(error)))
    }

    /// Ends a stream as if the service had ended it, so that the client connects again.
    fn end_with_token(&mut self) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        tracing::debug!("a stream of events ended with its token");
        // Closes the connection, on which the service still sends.
        self.driver = Driver::Other;
        Poll::Ready(None)
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        if let Driver::Body { connection, .. } = &mut self.driver {
            connection.drive(cx);
        }
    }

    /// Returns the connection to the pool if it can carry another exchange.
    fn finish(&mut self) {
        if let Driver::Body { connection, pool } = std::mem::replace(&mut self.driver, Driver::Other) {
            pool.put_if_reusable(&self.upstream, connection);
        }
    }
}

/// When a body ends that the service has not ended.
#[derive(Clone, Copy)]
pub(crate) enum BodyEnd {
    /// The service must have completed the body.
    Deadline(Instant),
    /// The body is a stream of events. It ends when the token of its user expires.
    Token(Option<Instant>),
}

/// Ends a body that makes no progress, or takes too long in all.
struct BodyTimer {
    end: BodyEnd,
    idle_timeout: Duration,
    last_progress: Instant,
    timer: Deadline,
}

impl BodyTimer {
    fn new(end: BodyEnd) -> Self {
        Self {
            end,
            idle_timeout: match end {
                BodyEnd::Deadline(_) => IDLE_TIMEOUT,
                BodyEnd::Token(_) => STREAM_IDLE_TIMEOUT,
            },
            last_progress: Instant::now(),
            timer: Deadline::default(),
        }
    }

    fn token_has_expired(&self) -> bool {
        matches!(self.end, BodyEnd::Token(Some(expiry)) if Instant::now() >= expiry)
    }

    fn note_progress(&mut self) {
        self.last_progress = Instant::now();
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let idle_end = self.last_progress + self.idle_timeout;
        let end = match self.end {
            BodyEnd::Deadline(end) | BodyEnd::Token(Some(end)) => end.min(idle_end),
            BodyEnd::Token(None) => idle_end,
        };
        self.timer.poll(Some(end), cx)
    }
}
