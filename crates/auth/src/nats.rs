//! The revocation feed over NATS JetStream: where the broker is, and how an event becomes a message.
//!
//! user-service creates the stream [`STREAM`] and publishes each event on its only subject [`SUBJECT`]. Verifiers read it: see
//! [`RevocationFeed::over_nats`](crate::RevocationFeed::over_nats).

mod message;
mod url;

pub use self::message::{event_of, message_of};
pub use self::url::{InvalidNatsUrl, NatsUrl};

/// The name of the stream.
pub const STREAM: &str = "COUNTERSIGN_REVOCATIONS";
/// The subject of all events.
pub const SUBJECT: &str = "countersign.revocations";

/// An error of the connection to the broker, or an answer of the broker that is an error.
pub type NatsError = async_nats::Error;
