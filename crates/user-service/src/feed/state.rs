//! The state that the publisher, the streams and the transactions of one process share.

use actix_web::web::Bytes;
use auth::{FeedEvent, FeedPosition, Revocation};
use tokio::sync::broadcast;
use uuid::Uuid;

use super::encoding::{encode, event_of};
use crate::store::FeedRow;

/// A message of the publisher to the streams.
#[derive(Clone, Debug)]
pub(super) enum Message {
    /// A row, encoded once for all streams.
    Row { seq: i64, event: Bytes },
    /// The encoded event that says that the feed works.
    Head(Bytes),
    /// The history continues in a newer generation, which another replica started.
    Generation(Uuid),
    /// All rows were loaded again: earlier events may not belong to the history of the database.
    Loaded,
}

/// The shared state. Messages are sent while it is locked, so each message belongs to exactly one state.
#[derive(Debug)]
pub(super) struct State {
    messages: broadcast::Sender<Message>,
    /// Everything up to this position was published. `None` before the first load.
    position: Option<FeedPosition>,
    /// The newest row that was read, with its number. If the database no longer has it, the database was restored.
    newest_row: Option<(i64, FeedRow)>,
    /// The highest committed sequence number that this process knows.
    highest_seq: i64,
    /// The database could not be read since the last load.
    is_interrupted: bool,
    /// How often all rows were loaded. Streams of an earlier load end.
    loads: u64,
    /// The revocations that were committed since a load began. `None` if there is no load.
    committed_during_load: Option<Vec<Revocation>>,
}

/// A stream's view of the state at one moment. The receiver gets all later messages.
#[derive(Debug)]
pub(super) struct Receiver {
    pub messages: broadcast::Receiver<Message>,
    pub position: FeedPosition,
    pub load: u64,
}

impl State {
    pub fn new(buffered_events: usize) -> Self {
        Self {
            messages: broadcast::Sender::new(buffered_events),
            position: None,
            newest_row: None,
            highest_seq: 0,
            is_interrupted: false,
            loads: 0,
            committed_during_load: None,
        }
    }

    /// Whether a transaction that got this sequence number must start a generation: the number may have been assigned before.
    pub fn must_start_generation(&self, first_seq: i64) -> bool {
        self.is_interrupted || first_seq <= self.highest_seq
    }

    /// The generation in which this process publishes. `None` before the first load.
    pub fn generation(&self) -> Option<Uuid> {
        self.position.map(|position| position.generation)
    }

    /// Records what this process committed. It is published when the publisher reads it.
    pub fn committed(&mut self, revocations: Vec<Revocation>, last_seq: i64) {
        self.highest_seq = self.highest_seq.max(last_seq);
        if let Some(committed) = &mut self.committed_during_load {
            committed.extend(revocations);
        }
    }

    /// The position from which to read, and the lowest counter that the database can have. `None` if all rows must be loaded.
    pub fn read_from(&self) -> Option<(FeedPosition, i64)> {
        let position = self.position.filter(|_| !self.is_interrupted)?;
        Some((position, self.highest_seq))
    }

    /// Records that the database could not be read. Returns whether that is new.
    pub fn interrupt(&mut self) -> bool {
        !std::mem::replace(&mut self.is_interrupted, true)
    }

    pub fn begin_load(&mut self) {
        self.committed_during_load = Some(Vec::new());
    }

    /// Everything up to this position was loaded. Returns what was committed in the meantime. All streams end, and their readers
    /// resume if their positions are in the history.
    pub fn end_load(
        &mut self,
        position: FeedPosition,
        newest_row: Option<(i64, FeedRow)>,
    ) -> Vec<Revocation> {
        self.position = Some(position);
        self.newest_row = newest_row;
        self.highest_seq = position.seq;
        self.is_interrupted = false;
        self.loads += 1;
        self.send(Message::Loaded);
        self.committed_during_load.take().unwrap_or_default()
    }

    /// Continues the history in a newer generation.
    pub fn continue_in(&mut self, generation: Uuid) {
        if let Some(position) = &mut self.position {
            position.generation = generation;
            self.send(Message::Generation(generation));
        }
    }

    /// Publishes a row.
    pub fn publish(&mut self, seq: i64, row: FeedRow) {
        if let Some(position) = self.advance(seq) {
            let event = encode(&event_of(row.clone(), position));
            self.newest_row = Some((seq, row));
            self.send(Message::Row { seq, event });
        }
    }

    /// The newest row that was read, with its number. `None` if there was none.
    pub fn newest_row(&self) -> Option<(i64, FeedRow)> {
        self.newest_row.clone()
    }

    /// Moves to this sequence number: rows up to it that were not published have expired.
    pub fn advance(&mut self, seq: i64) -> Option<FeedPosition> {
        self.highest_seq = self.highest_seq.max(seq);
        let position = self.position.as_mut()?;
        position.seq = seq;
        Some(*position)
    }

    /// Publishes the position of the newest event.
    pub fn publish_head(&self) {
        if let Some(position) = self.position {
            self.send(Message::Head(encode(&FeedEvent::Head(position))));
        }
    }

    /// Subscribes a stream. `None` while the database can't be read: the position may no longer be in its history.
    pub fn subscribe(&self) -> Option<Receiver> {
        let (position, _) = self.read_from()?;
        Some(Receiver {
            messages: self.messages.subscribe(),
            position,
            load: self.loads,
        })
    }

    /// The position of the publisher, which has read the history of the database since this load. `None` if rows that were read since
    /// then may not belong to that history.
    pub fn position_since(&self, load: u64) -> Option<FeedPosition> {
        let (position, _) = self.read_from().filter(|_| self.loads == load)?;
        Some(position)
    }

    fn send(&self, message: Message) {
        // An error only means that there are no streams.
        drop(self.messages.send(message));
    }
}
