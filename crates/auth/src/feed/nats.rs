//! The feed over NATS JetStream, from now on. It does not repeat what a reader missed: the publisher does, over HTTP.
//!
//! Nothing survives a connection. The follower notices each missing event by its number, so there is no need for an ordered consumer,
//! which counts messages for the same purpose.

use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures_util::stream::once;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use tokio::time::Instant;

use super::broker_clock::BrokerClock;
use super::event::FeedEvent;
use super::position::FeedPosition;
use super::transport::{Ended, Events, Transport, until_silent};
use crate::nats::{NatsError, NatsUrl, STREAM, event_of};

/// After this silence the connection is given up. Soon enough that the publisher can be heard over HTTP before the feed is stale.
const SILENCE: Duration = Duration::from_secs(3);
/// How long the broker keeps the consumer of a reader that has vanished.
const INACTIVE: Duration = Duration::from_secs(30);

/// The stream of a broker.
#[derive(Debug)]
pub(super) struct Nats {
    pub url: NatsUrl,
    /// Identifies this reader in the broker's lists.
    pub client: String,
}

impl Transport for Nats {
    fn connect(&self, _: Option<FeedPosition>) -> Events {
        once(open(self.url.clone(), self.client.clone()))
            .try_flatten()
            .boxed()
    }
}

async fn open(url: NatsUrl, client: String) -> Result<impl Stream<Item = Result<FeedEvent, Ended>>, Ended> {
    let jetstream = url.connect(&client).await?;
    let config = pull::Config {
        description: Some(client),
        deliver_policy: DeliverPolicy::New,
        ack_policy: AckPolicy::None,
        inactive_threshold: INACTIVE,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let asked = Instant::now();
    let consumer = jetstream
        .create_consumer_on_stream(config, STREAM)
        .await
        .map_err(NatsError::from)?;
    let mut clock = BrokerClock::new(asked, consumer.cached_info().created.into());
    let messages = consumer.stream().messages().await.map_err(NatsError::from)?;
    let events = messages.map(move |message| read(&message.map_err(NatsError::from)?, &mut clock));
    Ok(until_silent(events, SILENCE))
}

fn read(message: &Message, clock: &mut BrokerClock) -> Result<FeedEvent, Ended> {
    clock.check(message.info()?.published.into())?;
    Ok(event_of(message.headers.as_ref(), &message.payload)?)
}
