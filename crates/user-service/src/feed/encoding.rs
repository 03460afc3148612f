//! The events of rows, and their bytes.

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

/// The bytes of an event.
pub(super) fn encode(event: &FeedEvent) -> Bytes {
    event.to_server_sent_event().into()
}
