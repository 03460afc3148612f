//! A transport of the feed: a source of events from a position.

use std::fmt;
use std::time::Duration;

use futures_util::stream::{BoxStream, unfold};
use futures_util::{Stream, StreamExt as _};
use reqwest::StatusCode;
use tokio::time::timeout;

use super::event::{FeedEvent, InvalidFeedEvent};
use super::follower::OutOfSync;
use super::position::FeedPosition;
use super::sse::InvalidStream;
use crate::client::CallError;

/// The events of one connection. It ends with an error, or when the publisher closes it.
pub(super) type Events = BoxStream<'static, Result<FeedEvent, Ended>>;

/// A way to receive events.
pub(super) trait Transport: fmt::Debug + Send + Sync {
    /// Connects when the stream is polled. The events are those after this position, if the transport can repeat events. Without a
    /// position it begins with a snapshot.
    fn connect(&self, after: Option<FeedPosition>) -> Events;
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the publisher answered with status {0}")]
    Status(StatusCode),
    #[error("nothing was heard for {} seconds", .0.as_secs())]
    Silence(Duration),
    #[error("the connection was closed")]
    Closed,
    #[error(transparent)]
    OutOfSync(#[from] OutOfSync),
    #[error(transparent)]
    Event(#[from] InvalidFeedEvent),
    #[error(transparent)]
    Stream(#[from] InvalidStream),
    #[cfg(feature = "nats")]
    #[error("NATS: {0}")]
    Nats(#[from] crate::nats::NatsError),
    #[cfg(feature = "nats")]
    #[error(transparent)]
    Late(#[from] super::broker_clock::Late),
}

/// The same events, until there is none for this long. The publisher sends one each second.
pub(super) fn until_silent(
    events: impl Stream<Item = Result<FeedEvent, Ended>> + Send + 'static,
    silence: Duration,
) -> impl Stream<Item = Result<FeedEvent, Ended>> + Send + 'static {
    unfold(Some(events.boxed()), move |events| async move {
        let mut events = events?;
        match timeout(silence, events.next()).await {
            Ok(event) => Some((event?, Some(events))),
            Err(_) => Some((Err(Ended::Silence(silence)), None)),
        }
    })
}
