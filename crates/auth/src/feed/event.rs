//! The events of the feed, in the form of server-sent events and of messages.

use serde_json::Value;

use super::position::FeedPosition;
use crate::revocation::Revocation;

/// An event of the revocation feed. Over HTTP it is a server-sent event: [`name`](Self::name) is its type, [`data`](Self::data) its
/// data, and [`position`](Self::position) its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedEvent {
    /// Tokens were revoked.
    Revocation(FeedPosition, Revocation),
    /// The published keys have changed: verifiers should fetch them.
    Keys(FeedPosition),
    /// The reader has all events up to this position. What follows happens now.
    Ready(FeedPosition),
    /// The position of the newest event. Sent each second.
    Head(FeedPosition),
    /// The reader's position is unknown: the reader must begin again without a position.
    Reset,
}

/// The event can't be read. A reader can't go on after it, since the event may have been a revocation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the feed has an unknown or malformed event of the type {0:?}")]
pub struct InvalidFeedEvent(String);

impl FeedEvent {
    /// The type: `revocation`, `keys`, `ready`, `head` or `reset`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Revocation(..) => "revocation",
            Self::Keys(_) => "keys",
            Self::Ready(_) => "ready",
            Self::Head(_) => "head",
            Self::Reset => "reset",
        }
    }

    /// The position after this event. `None` for a reset.
    #[must_use]
    pub fn position(&self) -> Option<FeedPosition> {
        match self {
            Self::Revocation(position, _)
            | Self::Keys(position)
            | Self::Ready(position)
            | Self::Head(position) => Some(*position),
            Self::Reset => None,
        }
    }

    /// The data: a revocation in JSON, or an object with the sequence number `seq`, or an empty object.
    #[must_use]
    pub fn data(&self) -> String {
        match self {
            // A revocation has no map with other keys than texts, so it can always be written.
            Self::Revocation(_, revocation) => serde_json::to_string(revocation).unwrap_or_default(),
            Self::Ready(position) | Self::Head(position) => {
                serde_json::json!({"seq": position.seq}).to_string()
            }
            Self::Keys(_) | Self::Reset => "{}".to_owned(),
        }
    }

    /// The event as a server-sent event (WHATWG HTML, "Server-sent events").
    #[must_use]
    pub fn to_server_sent_event(&self) -> String {
        let id = self
            .position()
            .map_or_else(String::new, |position| format!("id: {position}\n"));
        // The data is JSON, which has no line breaks.
        format!("event: {}\n{id}data: {}\n\n", self.name(), self.data())
    }

    /// Reads an event from its type, data and id.
    ///
    /// # Errors
    /// If the type is unknown, the id is missing or malformed, or the data is not what the type requires.
    pub fn parse(name: &str, data: &str, id: &str) -> Result<Self, InvalidFeedEvent> {
        let invalid = || InvalidFeedEvent(name.chars().take(40).collect());
        if name == "reset" {
            return Ok(Self::Reset);
        }
        let position: FeedPosition = id.parse().map_err(|_| invalid())?;
        let data: Value = serde_json::from_str(data).map_err(|_| invalid())?;
        let event = match name {
            "revocation" => Self::Revocation(position, serde_json::from_value(data).map_err(|_| invalid())?),
            "keys" => Self::Keys(position),
            "ready" => Self::Ready(position),
            "head" => Self::Head(position),
            _ => return Err(invalid()),
        };
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const POSITION: FeedPosition = FeedPosition {
        generation: Uuid::from_u128(7),
        seq: 42,
    };

    #[test]
    fn every_event_is_read_as_it_was_written() {
        let id = Uuid::from_u128(1);
        let events = [
            FeedEvent::Revocation(POSITION, Revocation::Session { id, expires_at: 9 }),
            FeedEvent::Revocation(
                POSITION,
                Revocation::User {
                    id,
                    epoch: 3,
                    expires_at: 9,
                },
            ),
            FeedEvent::Revocation(
                POSITION,
                Revocation::Key {
                    kid: "k".to_owned(),
                    expires_at: 9,
                },
            ),
            FeedEvent::Keys(POSITION),
            FeedEvent::Ready(POSITION),
            FeedEvent::Head(POSITION),
            FeedEvent::Reset,
        ];
        for event in events {
            let id = event.position().map(|position| position.to_string());
            let read = FeedEvent::parse(event.name(), &event.data(), &id.unwrap_or_default());
            assert_eq!(read.as_ref(), Ok(&event));
        }
    }

    #[test]
    fn the_form_of_events_is_fixed() {
        let id = Uuid::from_u128(1);
        let user = Revocation::User {
            id,
            epoch: 3,
            expires_at: 9,
        };
        let event = FeedEvent::Revocation(POSITION, user);
        assert_eq!(
            event.data(),
            r#"{"kind":"user","id":"00000000-0000-0000-0000-000000000001","epoch":3,"expires_at":9}"#
        );
        assert_eq!(
            event.position().unwrap().to_string(),
            "00000000-0000-0000-0000-000000000007:42"
        );
        assert_eq!(FeedEvent::Head(POSITION).data(), r#"{"seq":42}"#);
        let key = Revocation::Key {
            kid: "k".to_owned(),
            expires_at: 9,
        };
        assert_eq!(
            FeedEvent::Revocation(POSITION, key).data(),
            r#"{"kind":"key","kid":"k","expires_at":9}"#
        );
    }

    #[test]
    fn a_server_sent_event_has_the_type_the_id_and_the_data() {
        assert_eq!(
            FeedEvent::Head(POSITION).to_server_sent_event(),
            "event: head\nid: 00000000-0000-0000-0000-000000000007:42\ndata: {\"seq\":42}\n\n"
        );
        assert_eq!(
            FeedEvent::Reset.to_server_sent_event(),
            "event: reset\ndata: {}\n\n"
        );
    }

    #[test]
    fn a_malformed_event_is_an_error() {
        let id = POSITION.to_string();
        let session = r#"{"kind":"session","id":"00000000-0000-0000-0000-000000000001","expires_at":9}"#;
        assert!(FeedEvent::parse("revocation", session, &id).is_ok());
        for (name, data, id) in [
            ("revocation", session, ""),
            ("revocation", "{}", id.as_str()),
            ("revocation", r#"{"kind":"planet","id":"1","expires_at":9}"#, &id),
            ("revocation", "", &id),
            ("message", "{}", &id),
            ("", "{}", &id),
            ("ready", "{}", "7:42"),
            ("head", "not json", &id),
        ] {
            assert!(FeedEvent::parse(name, data, id).is_err(), "{name} {data} {id}");
        }
    }
}
