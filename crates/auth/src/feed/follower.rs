//! Applies the events of the feed to the revocation set, and notices when an event is missing. It does not know how events arrive.

use crate::clock::Clock;
use crate::feed::event::FeedEvent;
use crate::feed::position::FeedPosition;
use crate::revocation::Revocation;
use crate::revocations::Revocations;

/// Applies events in their order.
#[derive(Debug)]
pub(super) struct Follower {
    revocations: Revocations,
    clock: Clock,
    position: Option<FeedPosition>,
    phase: Phase,
    /// The clock at the last event, in Unix seconds.
    last_reading: i64,
}

#[derive(Debug)]
enum Phase {
    /// Everything that still matters arrives. Entries that are no longer listed are dropped at the end.
    Snapshot(Vec<Revocation>),
    /// The events since the last position arrive. Expired entries are left out, so sequence numbers may be missing.
    CatchUp,
    /// Events arrive as they happen. No sequence number may be missing.
    Live,
}

/// The consequence of an event for the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Nothing,
    /// The set is complete up to now.
    Ready,
    /// The published keys have changed.
    KeysChanged,
}

/// Why the reader must connect again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OutOfSync {
    #[error("the publisher does not know the reader's position")]
    Reset,
    #[error("an event is missing")]
    Gap,
    #[error("the feed has a new generation")]
    NewGeneration,
    #[error("the clock was set back: entries may have been dropped too early")]
    ClockSetBack,
}

impl Follower {
    pub fn new(revocations: Revocations, clock: Clock) -> Self {
        Self {
            revocations,
            clock,
            position: None,
            phase: Phase::Snapshot(Vec::new()),
            last_reading: i64::MIN,
        }
    }

    /// Prepares for a new connection, and returns the position from which the feed should continue. `None` requests a snapshot.
    pub fn connect(&mut self) -> Option<FeedPosition> {
        self.phase = match self.position {
            Some(_) => Phase::CatchUp,
            None => Phase::Snapshot(Vec::new()),
        };
        self.position
    }

    /// Whether there was a snapshot.
    pub fn has_snapshot(&self) -> bool {
        self.revocations.freshness().has_snapshot()
    }

    /// Applies an event.
    pub fn receive(&mut self, event: FeedEvent) -> Result<Effect, OutOfSync> {
        self.check_clock()?;
        match event {
            FeedEvent::Reset => {
                self.position = None;
                self.revocations.freshness().behind();
                Err(OutOfSync::Reset)
            }
            FeedEvent::Ready(position) => {
                self.finish_catching_up();
                self.position = Some(position);
                self.heard();
                Ok(Effect::Ready)
            }
            FeedEvent::Head(head) => self.check_head(head),
            FeedEvent::Revocation(position, revocation) => {
                // Even if an earlier one is missing: a revocation is never wrong.
                self.apply(revocation);
                self.advance(position)?;
                Ok(Effect::Nothing)
            }
            FeedEvent::Keys(position) => {
                self.advance(position)?;
                Ok(Effect::KeysChanged)
            }
        }
    }

    /// Whether the feed can continue with the events after this head, because the set has everything up to it, and nothing more.
    pub fn continue_at(&mut self, head: FeedPosition) -> bool {
        if matches!(self.phase, Phase::Snapshot(_)) || self.position != Some(head) {
            return false;
        }
        self.phase = Phase::Live;
        self.heard();
        true
    }

    /// A clock that was ahead made the set drop entries that have not expired by the clock that was set back. Only a snapshot has them.
    fn check_clock(&mut self) -> Result<(), OutOfSync> {
        let now = self.clock.unix();
        let is_set_back = now < self.last_reading.saturating_sub(1);
        self.last_reading = now;
        if is_set_back {
            self.position = None;
            return Err(self.out_of_sync(OutOfSync::ClockSetBack));
        }
        Ok(())
    }

    /// Applies an event that arrived another way, without relying on its position.
    pub fn overhear(&mut self, event: FeedEvent) {
        if let FeedEvent::Revocation(_, revocation) = event {
            self.apply(revocation);
        }
    }

    fn apply(&mut self, revocation: Revocation) {
        if let Phase::Snapshot(listed) = &mut self.phase {
            listed.push(revocation.clone());
        }
        self.revocations.apply(revocation);
    }

    fn finish_catching_up(&mut self) {
        if let Phase::Snapshot(listed) = std::mem::replace(&mut self.phase, Phase::Live) {
            self.revocations.replace_all(listed);
        }
    }

    /// Moves to the position of a revocation or a change of keys.
    fn advance(&mut self, to: FeedPosition) -> Result<(), OutOfSync> {
        match (&self.phase, self.position) {
            // The position counts only once the snapshot is complete.
            (Phase::Snapshot(_), _) => {}
            (Phase::Live, Some(from)) => {
                check_generation(from, to)?;
                if to.seq > from.seq + 1 {
                    return Err(self.out_of_sync(OutOfSync::Gap));
                }
                // A lower number is that of an event that was sent twice.
                if to.seq == from.seq + 1 {
                    self.position = Some(to);
                    self.heard();
                }
            }
            (Phase::CatchUp | Phase::Live, _) => self.position = Some(to),
        }
        Ok(())
    }

    fn check_head(&mut self, head: FeedPosition) -> Result<Effect, OutOfSync> {
        if let (Phase::Live, Some(from)) = (&self.phase, self.position) {
            check_generation(from, head)?;
            if head.seq > from.seq {
                return Err(self.out_of_sync(OutOfSync::Gap));
            }
            // A lower number is that of a replica that has not seen the newest event yet.
            if head.seq == from.seq {
                self.heard();
            }
        }
        Ok(Effect::Nothing)
    }

    fn out_of_sync(&self, reason: OutOfSync) -> OutOfSync {
        self.revocations.freshness().behind();
        reason
    }

    fn heard(&self) {
        self.revocations.freshness().heard(self.clock.unix());
    }
}

/// Nothing is known to be missing after a change of the generation: usually the publisher was restarted.
fn check_generation(from: FeedPosition, to: FeedPosition) -> Result<(), OutOfSync> {
    if from.generation == to.generation {
        Ok(())
    } else {
        Err(OutOfSync::NewGeneration)
    }
}

#[cfg(test)]
mod tests;
