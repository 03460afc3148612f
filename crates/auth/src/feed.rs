//! Following the revocation feed of the authorization server.
//!
//! A [`RevocationFeed`] says where the feed is. `http` and `nats` are its transports, each in a `link` that connects again; `reader`
//! decides which one to follow; `broker_clock` notices messages of NATS that arrive late; `follower` applies the events to the
//! revocation set and notices when one is missing; `report` reports to the publisher which keys this verifier holds.

#[cfg(feature = "nats")]
mod broker_clock;
mod event;
mod follower;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod http;
mod link;
#[cfg(feature = "nats")]
mod nats;
mod position;
mod reader;
mod report;
mod sse;
mod transport;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::task::AbortHandle;
use uuid::Uuid;

pub use self::event::{FeedEvent, InvalidFeedEvent};
use self::follower::Follower;
use self::http::Http;
pub use self::position::{FeedPosition, InvalidFeedPosition};
use self::reader::Reader;
use self::report::Reporter;
use self::transport::Transport;
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
    /// The transport to follow while it works.
    nats: Option<Box<dyn Transport>>,
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
            nats: None,
        })
    }

    /// Follows the feed over NATS JetStream while this broker works. It is followed over HTTP until then, and when an event is
    /// missing. `client` identifies this service in the broker's lists.
    #[cfg(feature = "nats")]
    #[must_use]
    pub fn over_nats(mut self, url: crate::nats::NatsUrl, client: &str) -> Self {
        let client = client.to_owned();
        self.nats = Some(Box::new(self::nats::Nats { url, client }));
        self
    }

    /// Spawns the task that follows the feed.
    pub(crate) fn follow(self, revocations: Revocations, keys: Keys, clock: Clock) -> FeedTask {
        revocations.freshness().await_snapshot();
        let counts = Arc::<Counts>::default();
        let http = Http {
            client: self.client.clone(),
            instance: self.instance,
        };
        let follower = Follower::new(revocations, clock);
        let reader = Reader::new(Box::new(http), self.nats, follower, Arc::clone(&counts));
        let reporter = Reporter {
            client: self.client,
            instance: self.instance,
            keys,
            changed: reader.keys_changed(),
        };
        FeedTask {
            task: tokio::spawn(reader.run(reporter)).abort_handle(),
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
    is_over_nats: AtomicBool,
}

impl Counts {
    fn is_over_nats(&self) -> bool {
        self.is_over_nats.load(Ordering::Relaxed)
    }

    fn set_over_nats(&self, is_over_nats: bool) {
        self.is_over_nats.store(is_over_nats, Ordering::Relaxed);
    }
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

    /// Whether the feed is followed over NATS.
    pub fn is_over_nats(&self) -> bool {
        self.counts.is_over_nats()
    }
}

impl Drop for FeedTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}
