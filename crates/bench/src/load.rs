//! Sends concurrent requests, each client its next one after the last response, and collects statistics.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use serde::Serialize;

use crate::Failure;

/// The latencies and statuses of responses.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    latencies: Vec<Duration>,
    answers: BTreeMap<u16, u32>,
    elapsed: Duration,
    /// How long each client waits after a response.
    pause: Duration,
}

/// The statistics of a tally. Latencies are in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// Responses with a 2xx status.
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    /// The number of responses with each status.
    pub answers: BTreeMap<u16, u32>,
}

/// The distribution of durations, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    #[serde(rename = "p50_ms")]
    pub p50: f64,
    #[serde(rename = "p99_ms")]
    pub p99: f64,
    #[serde(rename = "max_ms")]
    pub max: f64,
}

impl Percentiles {
    pub(crate) fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let [p50, p99, max] = [50, 99, 100].map(|percent| {
            let duration = percentile(&durations, percent);
            hundredths(duration.as_secs_f64() * 1_000.0)
        });
        Self { p50, p99, max }
    }
}

impl Tally {
    /// Clients wait this long after each response.
    pub(crate) fn with_pauses(pause: Duration) -> Self {
        Self {
            pause,
            ..Self::default()
        }
    }

    /// Each client sends requests for this duration, at least one.
    pub(crate) async fn add<T>(
        &mut self,
        clients: &[T],
        duration: Duration,
        send: impl AsyncFn(&T) -> Result<u16, Failure>,
    ) -> Result<(), Failure> {
        let (started, pause) = (Instant::now(), self.pause);
        let send_requests = async |client| {
            let mut responses = Vec::new();
            loop {
                let sent_at = Instant::now();
                let status = send(client).await?;
                responses.push((sent_at.elapsed(), status));
                if started.elapsed() >= duration {
                    return Ok::<_, Failure>(responses);
                }
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
        };
        let responses = try_join_all(clients.iter().map(send_requests)).await?;
        self.elapsed += started.elapsed();
        for (latency, status) in responses.into_iter().flatten() {
            self.latencies.push(latency);
            *self.answers.entry(status).or_default() += 1;
        }
        Ok(())
    }

    /// The number of responses with a 2xx status.
    pub(crate) fn count(&self) -> u32 {
        self.answers
            .iter()
            .filter(|(status, _)| (200..300).contains(*status))
            .map(|(_, count)| count)
            .sum()
    }

    /// The number of other responses.
    pub(crate) fn errors(&self) -> u32 {
        self.answers.values().sum::<u32>() - self.count()
    }

    /// Fails if there was any other status, because a refusal has a different cost.
    pub(crate) fn expect_only(&self, status: u16) -> Result<(), Failure> {
        if self.answers.keys().all(|received| *received == status) {
            return Ok(());
        }
        Err(format!("not all responses have status {status}: {:?}", self.answers).into())
    }

    pub(crate) fn per_second(&self) -> f64 {
        f64::from(self.count()) / self.elapsed.as_secs_f64()
    }

    /// The 99th percentile of the latencies.
    pub(crate) fn p99(mut self) -> Duration {
        self.latencies.sort_unstable();
        percentile(&self.latencies, 99)
    }

    pub(crate) fn summary(self) -> Summary {
        let per_second = hundredths(self.per_second());
        let Percentiles { p50, p99, max } = Percentiles::of(self.latencies);
        Summary {
            per_second,
            p50_ms: p50,
            p99_ms: p99,
            max_ms: max,
            answers: self.answers,
        }
    }
}

/// The smallest value that is not exceeded by this percentage of the values, which must be sorted.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// Rounds to hundredths: further digits are noise.
pub(crate) fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_smallest_value_that_covers_its_share() {
        let of = |count: u64| (1..=count).map(Duration::from_millis).collect::<Vec<_>>();
        for (count, percent, expected) in [
            (100, 50, 50),
            (100, 99, 99),
            (100, 100, 100),
            (1, 50, 1),
            (1, 99, 1),
            (3, 50, 2),
            (1_000, 99, 990),
        ] {
            let found = percentile(&of(count), percent);
            assert_eq!(found, Duration::from_millis(expected), "{percent} % of {count}");
        }
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }

    #[test]
    fn percentiles_do_not_depend_on_the_order_and_are_in_milliseconds() {
        let durations = (1..=200).rev().map(|number| Duration::from_micros(number * 500));
        let percentiles = Percentiles::of(durations.collect());
        let expected = Percentiles {
            p50: 50.0,
            p99: 99.0,
            max: 100.0,
        };
        assert_eq!(percentiles, expected);
    }

    #[tokio::test]
    async fn refusals_are_counted_separately() {
        let mut tally = Tally::default();
        let statuses = [201, 201, 202, 409, 503];
        tally
            .add(&statuses, Duration::ZERO, async |status| Ok(*status))
            .await
            .unwrap();
        assert_eq!(tally.answers, [(201, 2), (202, 1), (409, 1), (503, 1)].into());
        assert_eq!((tally.count(), tally.errors()), (3, 2));
        assert_eq!(tally.latencies.len(), 5);
        assert!(tally.expect_only(201).is_err());
        assert!(Tally::default().expect_only(201).is_ok());
    }
}
