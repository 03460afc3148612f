//! Following the revocation feed of the authorization server.
//!
//! A [`RevocationFeed`] says where the feed is. `stream` is one connection over HTTP, read by `sse`; `follower` applies the events
//! to the revocation set and notices when one is missing; `report` reports to the publisher which keys this verifier holds.

mod event;
mod follower;
mod position;
mod reader;
mod report;
mod sse;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::AbortHandle;
use uuid::Uuid;

pub use self::event::FeedEvent;
pub use self::position::{FeedPosition, InvalidFeedPosition};
use self::reader::Reader;
use crate::client::{ServiceClient, ServiceClientError, ServiceCredentials};
use crate::clock::Clock;
use crate::keys::Keys;
use crate::revocations::Revocations;

/// The revocation feed of the authorization server, which this service reads with a service token.
#[derive(Debug)]
pub struct RevocationFeed {
    client: ServiceClient,
    /// Identifies this verifier among the replicas of its service.
    instance: Uuid,
}

impl RevocationFeed {
    /// The feed of the authorization server of this name, at this origin: `GET /internal/revocations`.
    ///
    /// # Errors
    /// If a URL or this service's name is invalid, or the TLS library can't start.
    pub fn at(
        credentials: &ServiceCredentials,
        audience: &str,
        origin: &str,
    ) -> Result<Self, ServiceClientError> {
        Ok(Self {
            client: ServiceClient::builder(credentials, audience, origin).build()?,
            instance: Uuid::new_v4(),
        })
    }

    /// Spawns the task that follows the feed.
    pub(crate) fn follow(self, revocations: Revocations, keys: Keys, clock: Clock) -> FeedTask {
        revocations.freshness().await_snapshot();
        let counts = Arc::<Counts>::default();
        let reader = Reader::new(
            self.client,
            self.instance,
            revocations,
            keys,
            clock,
            Arc::clone(&counts),
        );
        FeedTask {
            task: tokio::spawn(reader.run()).abort_handle(),
            counts,
        }
    }
}

/// The task that follows the feed. It ends when this value is dropped.
#[derive(Debug)]
pub(crate) struct FeedTask {
    task: AbortHandle,
    counts: Arc<Counts>,
}

/// Counts of what the task has done so far.
#[derive(Debug, Default)]
struct Counts {
    events: AtomicU64,
    connections: AtomicU64,
}

impl FeedTask {
    /// The events that were applied.
    pub fn events(&self) -> u64 {
        self.counts.events.load(Ordering::Relaxed)
    }

    /// The connections that were made or tried.
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }
}

impl Drop for FeedTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}
