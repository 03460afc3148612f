//! An event of the feed as a message: its data is the payload, its type and its id are headers.

use async_nats::HeaderMap;
use async_nats::jetstream::message::PublishMessage;

use crate::feed::{FeedEvent, InvalidFeedEvent};

const EVENT: &str = "Event";
const ID: &str = "Id";

/// The message of an event. The broker drops a second message with the same `message_id`.
#[must_use]
pub fn message_of(event: &FeedEvent, message_id: &str) -> PublishMessage {
    let id = event.position().map(|position| position.to_string());
    PublishMessage::build()
        .message_id(message_id)
        .header(EVENT, event.name())
        .header(ID, id.unwrap_or_default().as_str())
        .payload(event.data().into())
}

/// The event of a message with these headers and this payload.
///
/// # Errors
/// If the message is not an event of the feed.
pub fn event_of(headers: Option<&HeaderMap>, payload: &[u8]) -> Result<FeedEvent, InvalidFeedEvent> {
    let header = |name| headers.and_then(|headers| headers.get(name));
    let text = |name| header(name).map_or("", |value| value.as_str());
    let data = String::from_utf8_lossy(payload);
    FeedEvent::parse(text(EVENT), &data, text(ID))
}
