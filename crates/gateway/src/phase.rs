//! Timeouts of a client's connection: between requests, in the head of a request, and for responses that a client does not read.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::watched_stream::ReadWatch;

/// How long a client may take to send the head of a request, from its first byte on. For the first request of a connection: from the
/// opening of the connection on.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection without a request is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a request without a route may take, the sending of its response included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a client may take to read a response, beyond the timeout of the route.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The part of a [`Phase`] that the stream shares. hyper requires the stream to be `Send`.
#[derive(Debug)]
struct Flags {
    /// Whether requests are in progress.
    in_request: AtomicBool,
    /// Whether the parser may refuse a request: from the arrival of a head's first bytes until the request begins.
    is_parsing: Arc<AtomicBool>,
}

/// The phase of a client's connection: in requests, before one, or in the head of one.
#[derive(Debug)]
pub(crate) struct Phase {
    /// The requests in progress, by number, with the times when they must have ended. HTTP/2 connections can have several. `None`: no
    /// limit.
    requests: RefCell<Vec<(u64, Option<Instant>)>>,
    next_number: Cell<u64>,
    /// Shared with the stream.
    flags: Arc<Flags>,
    /// Whether the connection carries bytes of another protocol from now on.
    is_tunnel: Cell<bool>,
    /// Whether it was noticed that the head of the next request has begun to arrive.
    head_began: Cell<bool>,
    since: Cell<Instant>,
}

impl Phase {
    /// The phase of a new connection.
    pub(crate) fn new() -> Self {
        Self {
            requests: RefCell::default(),
            next_number: Cell::new(0),
            is_tunnel: Cell::new(false),
            flags: Arc::new(Flags {
                in_request: AtomicBool::new(false),
                is_parsing: Arc::new(AtomicBool::new(true)),
            }),
            head_began: Cell::new(true),
            since: Cell::new(Instant::now()),
        }
    }

    /// When the connection ends unless something happens. `None` if it may take any time.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let requests = self.requests.borrow();
        if requests.is_empty() {
            drop(requests);
            return self.deadline_of_next();
        }
        requests.iter().filter_map(|(_, end)| *end).min()
    }

    /// When this request must have ended. `None` if it may take any time.
    pub(crate) fn deadline_of(&self, number: u64) -> Option<Instant> {
        let requests = self.requests.borrow();
        let request = requests.iter().find(|(found, _)| *found == number);
        request.and_then(|(_, end)| *end)
    }

    /// When the connection ends unless the next request arrives. `None` while requests are in progress.
    pub(crate) fn deadline_of_next(&self) -> Option<Instant> {
        if !self.requests.borrow().is_empty() {
            return None;
        }
        if self.flags.is_parsing.load(Ordering::Relaxed) && !self.head_began.replace(true) {
            self.since.set(Instant::now());
        }
        let limit = if self.head_began.get() {
            HEAD_TIMEOUT
        } else {
            KEEP_ALIVE
        };
        Some(self.since.get() + limit)
    }

    /// Whether the client has sent only a part of a request's head, or nothing at all on a new connection.
    pub(crate) fn is_in_head(&self) -> bool {
        self.head_began.get() && self.requests.borrow().is_empty()
    }

    /// Whether the connection has had no request yet.
    pub(crate) fn is_unused(&self) -> bool {
        self.next_number.get() == 0
    }

    /// Notes when the client sends bytes.
    pub(crate) fn watch(&self) -> PhaseWatch {
        PhaseWatch(Arc::clone(&self.flags))
    }

    /// The flag that is set while the parser may refuse a request.
    pub(crate) fn is_parsing(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flags.is_parsing)
    }
}

/// The watch of the stream of a client's connection.
pub(crate) struct PhaseWatch(Arc<Flags>);

impl ReadWatch for PhaseWatch {
    fn read(&mut self, _: usize) -> io::Result<()> {
        // During a request, these are bytes of its body, or of a request that the client did not wait to send.
        if !self.0.in_request.load(Ordering::Relaxed) {
            self.0.is_parsing.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// A request that is being answered. The request has ended when this is dropped with its response.
pub(crate) struct InProgress {
    phase: Rc<Phase>,
    number: u64,
}

impl InProgress {
    pub(crate) fn begin(phase: Rc<Phase>) -> Self {
        let number = phase.next_number.get();
        phase.next_number.set(number + 1);
        phase
            .requests
            .borrow_mut()
            .push((number, Some(Instant::now() + REQUEST_TIMEOUT)));
        phase.head_began.set(false);
        phase.flags.in_request.store(true, Ordering::Relaxed);
        phase.flags.is_parsing.store(false, Ordering::Relaxed);
        Self { phase, number }
    }

    /// After this request, the parser reads no other.
    pub(crate) fn becomes_tunnel(&self) {
        self.phase.is_tunnel.set(true);
    }

    /// The number of the request on its connection.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Sets how long the response may take from now on, without the time in which the client reads it. `None`: any time.
    pub(crate) fn limit(&self, timeout: Option<Duration>) {
        let end = timeout.map(|timeout| Instant::now() + timeout + READ_TIMEOUT);
        let mut requests = self.phase.requests.borrow_mut();
        if let Some((_, limit)) = requests.iter_mut().find(|(number, _)| *number == self.number) {
            *limit = end;
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let mut requests = self.phase.requests.borrow_mut();
        requests.retain(|(number, _)| *number != self.number);
        let in_request = !requests.is_empty() || self.phase.is_tunnel.get();
        self.phase.flags.in_request.store(in_request, Ordering::Relaxed);
        self.phase.since.set(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time_left(phase: &Phase) -> Option<Duration> {
        let deadline = phase.deadline()?;
        Some(deadline - Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_less_time_than_an_idle_connection() {
        let phase = Rc::new(Phase::new());
        assert!(phase.is_in_head() && phase.is_unused());
        assert_eq!(time_left(&phase), Some(HEAD_TIMEOUT));

        let request = InProgress::begin(Rc::clone(&phase));
        // The request's body.
        phase.watch().read(1).unwrap();
        assert!(!phase.is_parsing().load(Ordering::Relaxed));
        drop(request);
        assert!(!phase.is_in_head() && !phase.is_unused());
        assert_eq!(time_left(&phase), Some(KEEP_ALIVE));

        tokio::time::advance(KEEP_ALIVE / 2).await;
        phase.watch().read(1).unwrap();
        assert_eq!(time_left(&phase), Some(HEAD_TIMEOUT));
        assert!(phase.is_in_head());
        // Further bytes of the same head give it no more time.
        tokio::time::advance(HEAD_TIMEOUT / 2).await;
        phase.watch().read(1).unwrap();
        assert_eq!(time_left(&phase), Some(HEAD_TIMEOUT / 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_when_the_first_of_its_requests_must_have_ended() {
        let phase = Rc::new(Phase::new());
        let (one, other) = (
            InProgress::begin(Rc::clone(&phase)),
            InProgress::begin(Rc::clone(&phase)),
        );
        assert_eq!(time_left(&phase), Some(REQUEST_TIMEOUT));
        one.limit(Some(Duration::from_secs(300)));
        other.limit(Some(Duration::from_secs(2)));
        assert_eq!(time_left(&phase), Some(Duration::from_secs(2) + READ_TIMEOUT));
        drop(other);
        assert_eq!(time_left(&phase), Some(Duration::from_secs(300) + READ_TIMEOUT));
        one.limit(None);
        assert_eq!(time_left(&phase), None);
        drop(one);
        assert_eq!(time_left(&phase), Some(KEEP_ALIVE));
    }
}
