//! The idle connections of one worker thread.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use super::{Connection, Upstream};

/// How long an idle connection is kept: much shorter than the 75 seconds after which a service closes it, so that the two rarely
/// meet.
const MAX_IDLE_TIME: Duration = Duration::from_secs(30);
/// The number of idle connections kept for each service and worker.
const MAX_IDLE: usize = 256;

/// The idle connections to each service.
#[derive(Default)]
pub(crate) struct Pool {
    by_upstream: RefCell<Vec<Vec<Idle>>>,
}

struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

impl Pool {
    /// Takes the connection that became idle last. Skips those that the service has closed.
    pub(crate) fn take(&self, upstream: &Upstream) -> Option<Box<Connection>> {
        let mut by_upstream = self.by_upstream.borrow_mut();
        let idle = by_upstream.get_mut(upstream.id)?;
        while let Some(Idle {
            mut connection,
            since,
        }) = idle.pop()
        {
            if since.elapsed() < MAX_IDLE_TIME && connection.is_reusable() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection if its exchange is complete. It is not complete while the client still sends a body that the service did
    /// not wait for.
    pub(crate) fn put_if_reusable(&self, upstream: &Upstream, mut connection: Box<Connection>) {
        if !connection.is_reusable() {
            return;
        }
        let mut by_upstream = self.by_upstream.borrow_mut();
        if by_upstream.len() <= upstream.id {
            by_upstream.resize_with(upstream.id + 1, Vec::new);
        }
        if let Some(idle) = by_upstream
            .get_mut(upstream.id)
            .filter(|idle| idle.len() < MAX_IDLE)
        {
            idle.push(Idle {
                connection,
                since: Instant::now(),
            });
        }
    }

    /// Drops the connections that are closed or have been idle for too long.
    pub(crate) fn drop_stale(&self) {
        for idle in self.by_upstream.borrow_mut().iter_mut() {
            idle.retain_mut(|idle| idle.since.elapsed() < MAX_IDLE_TIME && idle.connection.is_reusable());
        }
    }
}
