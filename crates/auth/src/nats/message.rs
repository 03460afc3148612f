//! An event of the feed as a message: its data is the payload, its type and its id are headers.

use async_nats::HeaderMap;
use async_nats::jetstream::message::PublishMessage;

use crate::feed::{FeedEvent, InvalidFeedEvent};

const EVENT: &str = "Event";
const ID: &str = "Id";

/// The message of an event. Its message id is the event's id, so the broker drops the event if another replica has published it. Heads
/// have none, because each one says that the feed works now.
#[must_use]
pub fn message_of(event: &FeedEvent) -> PublishMessage {
    let id = event.position().map(|position| position.to_string());
    let id = id.unwrap_or_default();
    let message = PublishMessage::build()
        .header(EVENT, event.name())
        .header(ID, id.as_str())
        .payload(event.data().into());
    match event {
        FeedEvent::Revocation(..) | FeedEvent::Keys(_) => message.message_id(id),
        FeedEvent::Ready(_) | FeedEvent::Head(_) | FeedEvent::Reset => message,
    }
}

/// The event of a message with these headers and this payload.
///
/// # Errors
/// If the message is not an event of the feed.
pub fn event_of(headers: Option<&HeaderMap>, payload: &[u8]) -> Result<FeedEvent, InvalidFeedEvent> {
    let header = |name| headers.and_then(|headers| headers.get(name));
    let text = |name| header(name).map_or("", |value| value.as_str());
    // Not lossy: a key's id must not be changed. An empty text is no data of an event that has data.
    let data = std::str::from_utf8(payload).unwrap_or_default();
    FeedEvent::parse(text(EVENT), data, text(ID))
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::message::OutboundMessage;
    use uuid::Uuid;

    use super::*;
    use crate::feed::FeedPosition;
    use crate::revocation::Revocation;

    const POSITION: FeedPosition = FeedPosition {
        generation: Uuid::from_u128(7),
        seq: 42,
    };

    fn sent(event: &FeedEvent) -> OutboundMessage {
        message_of(event).outbound_message("subject")
    }

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let id = Uuid::from_u128(1);
        for event in [
            FeedEvent::Revocation(POSITION, Revocation::Session { id, expires_at: 9 }),
            FeedEvent::Keys(POSITION),
            FeedEvent::Head(POSITION),
        ] {
            let message = sent(&event);
            assert_eq!(
                event_of(message.headers.as_ref(), &message.payload).as_ref(),
                Ok(&event)
            );
        }
    }

    #[test]
    fn rows_have_the_event_s_id_as_the_id_of_the_message_and_heads_have_none() {
        let message_id = |event| {
            let headers = sent(&event).headers.unwrap();
            headers.get("Nats-Msg-Id").map(|id| id.as_str().to_owned())
        };
        assert_eq!(message_id(FeedEvent::Keys(POSITION)), Some(POSITION.to_string()));
        assert_eq!(message_id(FeedEvent::Head(POSITION)), None);
    }

    #[test]
    fn other_messages_are_no_events() {
        let message = sent(&FeedEvent::Head(POSITION));
        assert!(event_of(message.headers.as_ref(), b"not json").is_err());
        assert!(event_of(message.headers.as_ref(), b"\xff").is_err());
        let of_key = Revocation::Key {
            kid: "k1".to_owned(),
            expires_at: 9,
        };
        let of_key = sent(&FeedEvent::Revocation(POSITION, of_key));
        let not_text = of_key
            .payload
            .iter()
            .map(|byte| if *byte == b'1' { 0xff } else { *byte });
        let not_text: Vec<u8> = not_text.collect();
        assert!(event_of(of_key.headers.as_ref(), &not_text).is_err());
        assert!(event_of(None, &message.payload).is_err());
    }
}
