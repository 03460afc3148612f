//! Events of the feed as server-sent events (WHATWG HTML, "Server-sent events").

use actix_web::web::Bytes;
use auth::{FeedEvent, FeedPosition};

use crate::store::FeedRow;

/// The event of a row at this position.
pub(super) fn event_of(row: FeedRow, position: FeedPosition) -> FeedEvent {
    match row {
        FeedRow::Revocation(revocation) => FeedEvent::Revocation(position, revocation),
        FeedRow::KeysChanged { .. } => FeedEvent::Keys(position),
    }
}

/// The bytes of an event. Its data is JSON, which has no line breaks.
pub(super) fn encode(event: &FeedEvent) -> Bytes {
    let id = event
        .position()
        .map_or_else(String::new, |position| format!("id: {position}\n"));
    format!("event: {}\n{id}data: {}\n\n", event.name(), event.data()).into()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_event_has_its_type_id_and_data() {
        let position = FeedPosition {
            generation: Uuid::from_u128(1),
            seq: 7,
        };
        assert_eq!(
            encode(&FeedEvent::Head(position)),
            "event: head\nid: 00000000-0000-0000-0000-000000000001:7\ndata: {\"seq\":7}\n\n"
        );
        assert_eq!(encode(&FeedEvent::Reset), "event: reset\ndata: {}\n\n");
    }
}
