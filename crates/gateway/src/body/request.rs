//! The body of a request, on its way from the client to the service.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::BodyError;
use crate::refusal::Refusal;

/// How long a client may send no part of a body.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// The body of a request. It is limited in length, and its trailers are dropped, since they could contain headers that a client may
/// not set.
pub(crate) struct RequestBody {
    /// `None` for a body that is empty.
    incoming: Option<Incoming>,
    remaining: u64,
    upload: Rc<Upload>,
    idle: Option<Pin<Box<Sleep>>>,
}

/// How far a body has come.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    /// The client's fault, if the body ended early.
    pub fault: Cell<Option<Refusal>>,
    /// When the last byte was passed on, or the connection to the service no longer wanted the body.
    pub ended_at: Cell<Option<Instant>>,
    /// Whether the service could receive more, but the client has not sent it yet.
    pub waits_for_client: Cell<bool>,
}

impl RequestBody {
    /// A body of at most `limit` bytes.
    pub(crate) fn new(incoming: Incoming, limit: u64, upload: Rc<Upload>) -> Self {
        if incoming.is_end_stream() {
            return Self::empty(upload);
        }
        Self {
            incoming: Some(incoming),
            remaining: limit,
            upload,
            idle: None,
        }
    }

    /// An empty body.
    pub(crate) fn empty(upload: Rc<Upload>) -> Self {
        upload.ended_at.set(Some(Instant::now()));
        Self {
            incoming: None,
            remaining: 0,
            upload,
            idle: None,
        }
    }

    fn fail(&self, fault: Refusal, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.upload.fault.set(Some(fault));
        Poll::Ready(Some(Err(error)))
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let idle = self.idle.get_or_insert_with(|| Box::pin(sleep(IDLE_TIMEOUT)));
        match idle.as_mut().poll(cx) {
            Poll::Ready(()) => self.fail(Refusal::BodyTimeout, BodyError::ClientTimeout),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if self.upload.ended_at.get().is_none() {
            self.upload.ended_at.set(Some(Instant::now()));
        }
        self.upload.waits_for_client.set(false);
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some(incoming) = &mut this.incoming else {
            return Poll::Ready(None);
        };
        loop {
            let frame = match Pin::new(&mut *incoming).poll_frame(cx) {
                Poll::Pending => {
                    this.upload.waits_for_client.set(true);
                    return this.poll_idle(cx);
                }
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(error))) => return this.fail(Refusal::Body, error.into()),
                Poll::Ready(None) => {
                    this.upload.ended_at.set(Some(Instant::now()));
                    return Poll::Ready(None);
                }
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let length = data.len() as u64;
            if length > this.remaining {
                return this.fail(Refusal::BodyTooLarge, BodyError::TooLong);
            }
            this.remaining -= length;
            this.idle = None;
            this.upload.waits_for_client.set(false);
            if incoming.is_end_stream() {
                this.upload.ended_at.set(Some(Instant::now()));
            }
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
