//! Events of the revocation feed, one by one: from three texts, and from messages of NATS.

use async_nats::{HeaderMap, HeaderName, HeaderValue};

use crate::feed::FeedEvent;
use crate::nats::{event_of, message_of};

/// The input has three lines: the event's type, its id, and its data, which goes to the end.
pub fn feed_event(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let (name, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (id, data) = rest.split_once('\n').unwrap_or((rest, ""));
    if let Ok(event) = FeedEvent::parse(name, data, id) {
        check_event(&event);
        assert_eq!(event.name(), name);
    }
}

/// The input has lines `name: value`, an empty line, and the payload.
pub fn nats_message(input: &[u8]) {
    let end = input.windows(2).position(|bytes| bytes == b"\n\n");
    let (head, payload) = match end {
        Some(end) => (&input[..end], &input[end + 2..]),
        None => (input, &b""[..]),
    };
    let mut headers = HeaderMap::new();
    for line in String::from_utf8_lossy(head).lines() {
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            headers.append(name, value);
        }
    }
    if let Ok(event) = event_of(Some(&headers), payload) {
        check_event(&event);
        let is_text = std::str::from_utf8(payload).is_ok();
        assert!(is_text || event == FeedEvent::Reset, "the data was changed");
    }
    let without_headers = event_of(None, payload);
    assert!(without_headers.is_err(), "a message without headers is an event");
}

/// Writes the event in each form and reads it again.
pub(crate) fn check_event(event: &FeedEvent) {
    let id = event
        .position()
        .map(|position| position.to_string())
        .unwrap_or_default();
    assert_eq!(
        FeedEvent::parse(event.name(), &event.data(), &id).as_ref(),
        Ok(event)
    );
    assert!(
        !event.data().contains(['\r', '\n']),
        "a line break would end the data"
    );

    let message = message_of(event).outbound_message("subject");
    assert_eq!(
        event_of(message.headers.as_ref(), &message.payload).as_ref(),
        Ok(event)
    );
}
