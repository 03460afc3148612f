//! Which positions are in the history of the database.
//!
//! Sequence numbers are comparable only within one history: a restored database assigns numbers a second time. So each history
//! begins with a new generation, and the list of generations shows where the histories part. Kafka's leader epochs work alike.

use crate::store::GenerationRow;

/// Whether the rows of this generation up to `seq` are those of the database. Then a reader at that position can resume.
pub(super) fn contains(generation: &GenerationRow, seq: i64) -> bool {
    match generation.next_first_seq {
        Some(next_first_seq) => seq < next_first_seq,
        None => seq <= generation.counter,
    }
}
