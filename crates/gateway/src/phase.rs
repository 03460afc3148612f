//! Timeouts of a client's connection outside of requests.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How long a client may take to send the head of a request, from its first byte on. For the first request of a connection: from
/// the opening of the connection on.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection without a request is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// The phase of a client's connection: in a request, before one, or in the head of one.
#[derive(Debug)]
pub(crate) struct Phase {
    /// The requests that are being answered. HTTP/2 connections can have several.
    requests: Cell<u32>,
    /// Whether bytes have arrived since the last request began. Shared with the stream, which hyper requires to be `Send`.
    received: Arc<AtomicBool>,
    /// Whether the head of the next request has begun to arrive.
    head_began: Cell<bool>,
    since: Cell<Instant>,
}

impl Phase {
    /// The phase of a new connection.
    pub(crate) fn new() -> Self {
        Self {
            requests: Cell::new(0),
            received: Arc::default(),
            head_began: Cell::new(true),
            since: Cell::new(Instant::now()),
        }
    }

    /// When the connection ends unless something happens. `None` while a request is being answered: requests have timeouts of their
    /// own.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let limit = if self.head_began.get() {
            HEAD_TIMEOUT
        } else {
            KEEP_ALIVE
        };
        (self.requests.get() == 0).then(|| self.since.get() + limit)
    }

    /// Whether the client has sent only a part of a request's head, or nothing at all on a new connection.
    pub(crate) fn is_in_head(&self) -> bool {
        self.head_began.get() && self.requests.get() == 0
    }

    /// The flag that the stream sets when bytes arrive.
    pub(crate) fn received(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.received)
    }

    fn request_began(&self) {
        self.requests.set(self.requests.get() + 1);
        self.head_began.set(false);
        self.received.store(false, Ordering::Relaxed);
    }

    fn request_ended(&self) {
        self.requests.set(self.requests.get().saturating_sub(1));
        self.since.set(Instant::now());
    }
}

/// A request that is being answered. The request has ended when this is dropped with its response.
pub(crate) struct InProgress(Rc<Phase>);

impl InProgress {
    pub(crate) fn begin(phase: Rc<Phase>) -> Self {
        phase.request_began();
        Self(phase)
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.request_ended();
    }
}
