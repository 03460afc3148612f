//! What every service does alike, seen from outside, on a small service of the tests' own.
#![expect(clippy::expect_used, reason = "a test stops at what can't be")]

mod background;
mod bodies;
mod calls;
mod conditional;
mod connections;
mod deadlines;
mod lists;
mod offered;
mod refusals;
mod request_ids;
mod stopping;
mod things;
mod upgrades;
mod wire;
