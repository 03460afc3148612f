//! A position in the revocation feed: the id of an event.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// A position in the revocation feed, in the form `{generation}:{seq}`. It is the id of an event, and `Last-Event-ID` when a reader
/// resumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedPosition {
    /// The generation of the feed. Sequence numbers of different generations are not comparable: the publisher's database may have
    /// been restored from a backup in between.
    pub generation: Uuid,
    /// The sequence number of the last event up to this position. Zero before the first event.
    pub seq: i64,
}

/// The text is not a position in the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a position in the revocation feed")]
pub struct InvalidFeedPosition;

impl fmt::Display for FeedPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.generation, self.seq)
    }
}

impl FromStr for FeedPosition {
    type Err = InvalidFeedPosition;

    fn from_str(text: &str) -> Result<Self, InvalidFeedPosition> {
        let (generation, seq) = text.split_once(':').ok_or(InvalidFeedPosition)?;
        let position = Self {
            generation: generation.parse().map_err(|_| InvalidFeedPosition)?,
            seq: seq.parse().map_err(|_| InvalidFeedPosition)?,
        };
        // Only one spelling, so that ids can be compared as text. It also excludes negative numbers.
        if position.seq >= 0 && position.to_string() == text {
            Ok(position)
        } else {
            Err(InvalidFeedPosition)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_has_one_spelling() {
        let text = "0190d3f0-7c1a-4c8e-9a3f-5b2d1e0f9a8b:42";
        let position: FeedPosition = text.parse().unwrap();
        assert_eq!(position.seq, 42);
        assert_eq!(position.to_string(), text);

        for other in [
            "",
            "42",
            ":",
            "0190d3f0-7c1a-4c8e-9a3f-5b2d1e0f9a8b",
            "0190d3f0-7c1a-4c8e-9a3f-5b2d1e0f9a8b:",
            "0190d3f0-7c1a-4c8e-9a3f-5b2d1e0f9a8b:-1",
            "0190d3f0-7c1a-4c8e-9a3f-5b2d1e0f9a8b:+1",
            "0190d3f0-7c1a-4c8e-9a3f-5b2d1e0f9a8b:01",
            "0190D3F0-7c1a-4c8e-9a3f-5b2d1e0f9a8b:42",
            "0190d3f07c1a4c8e9a3f5b2d1e0f9a8b:42",
            "0190d3f0-7c1a-4c8e-9a3f-5b2d1e0f9a8b:9223372036854775808",
            "0190d3f0-7c1a-4c8e-9a3f-5b2d1e0f9a8b:4:2",
        ] {
            assert_eq!(other.parse::<FeedPosition>(), Err(InvalidFeedPosition), "{other}");
        }
    }
}
