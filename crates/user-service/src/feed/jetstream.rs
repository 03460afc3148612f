//! The stream of the broker to which the feed is relayed.

use std::time::Duration;

use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Config, DiscardPolicy, LastRawMessageErrorKind, StorageType};
use async_nats::jetstream::{Context, ErrorCode};
use auth::nats::{NatsError, NatsUrl, STREAM, SUBJECT, event_of, message_of};
use auth::{FeedEvent, FeedPosition};

use crate::domain::{Lifetimes, NAME};
use crate::sessions::revocation;

/// How long the broker remembers the ids of messages. Replicas relay the same row within seconds of each other. A stream must keep
/// messages for at least as long.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// The stream of the broker. A connection to it is not made again when it ends.
pub(super) struct Stream(Context);

impl Stream {
    /// Connects, and creates or updates the stream.
    pub async fn open(url: &NatsUrl, lifetimes: Lifetimes) -> Result<Self, NatsError> {
        let jetstream = url.connect(NAME).await?;
        let required = config(lifetimes);
        match jetstream.get_stream(STREAM).await {
            Ok(stream) => {
                let existing = &stream.cached_info().config;
                // Other settings are the operator's, such as the number of replicas.
                let updated = Config {
                    subjects: required.subjects,
                    max_age: required.max_age,
                    duplicate_window: required.duplicate_window,
                    discard: required.discard,
                    ..existing.clone()
                };
                if updated != *existing {
                    jetstream.update_stream(updated).await?;
                }
            }
            Err(error) if is_not_found(&error.kind()) => {
                jetstream.create_stream(required).await?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Self(jetstream))
    }

    /// The position of the newest message. `None` if there is none, or if it is not an event.
    pub async fn newest(&self) -> Result<Option<FeedPosition>, NatsError> {
        let stream = self.0.get_stream_no_info(STREAM).await?;
        match stream.get_last_raw_message_by_subject(SUBJECT).await {
            Ok(message) => {
                let event = event_of(Some(&message.headers), &message.payload);
                Ok(event.ok().and_then(|event| event.position()))
            }
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Publishes events, in order, and waits until the broker has stored them.
    pub async fn publish(&self, events: impl Iterator<Item = FeedEvent>) -> Result<(), NatsError> {
        let mut acknowledgements = Vec::new();
        for event in events {
            acknowledgements.push(self.0.send_publish(SUBJECT, message_of(&event)).await?);
        }
        for acknowledgement in acknowledgements {
            acknowledgement.await?;
        }
        Ok(())
    }
}

fn config(lifetimes: Lifetimes) -> Config {
    let longest_life = revocation::longest_life(lifetimes).to_std();
    Config {
        name: STREAM.to_owned(),
        description: Some("Revoked tokens, published by user-service".to_owned()),
        subjects: vec![SUBJECT.to_owned()],
        max_age: longest_life.unwrap_or_default().max(DUPLICATE_WINDOW),
        duplicate_window: DUPLICATE_WINDOW,
        discard: DiscardPolicy::Old,
        storage: StorageType::File,
        num_replicas: 1,
        ..Config::default()
    }
}

fn is_not_found(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}
