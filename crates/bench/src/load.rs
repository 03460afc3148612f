//! Many who ask at once, each the next thing as soon as the last is answered; and what they were answered.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use serde::Serialize;

use crate::Failure;

/// How long each answer took, and what it was.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    latencies: Vec<Duration>,
    answers: BTreeMap<u16, u32>,
    elapsed: Duration,
    /// How long everybody waits after each answer.
    pause: Duration,
}

/// What a tally comes to. Latencies are in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// Answers that are no refusals.
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    /// How often each status was answered.
    pub answers: BTreeMap<u16, u32>,
}

impl Tally {
    /// Of those who don't ask again at once.
    pub(crate) fn with_pauses(pause: Duration) -> Self {
        Self {
            pause,
            ..Self::default()
        }
    }

    /// Has each of these ask for so long, once at least.
    pub(crate) async fn add<T>(
        &mut self,
        who: &[T],
        duration: Duration,
        ask: impl AsyncFn(&T) -> Result<u16, Failure>,
    ) -> Result<(), Failure> {
        let (begun, pause) = (Instant::now(), self.pause);
        let keep_asking = async |who| {
            let mut answered = Vec::new();
            loop {
                let asked = Instant::now();
                let status = ask(who).await?;
                answered.push((asked.elapsed(), status));
                if begun.elapsed() >= duration {
                    return Ok::<_, Failure>(answered);
                }
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
        };
        let answered = try_join_all(who.iter().map(keep_asking)).await?;
        self.elapsed += begun.elapsed();
        for (latency, status) in answered.into_iter().flatten() {
            self.latencies.push(latency);
            *self.answers.entry(status).or_default() += 1;
        }
        Ok(())
    }

    /// Answers that are no refusals.
    pub(crate) fn count(&self) -> u32 {
        self.answers
            .iter()
            .filter(|(status, _)| (200..300).contains(*status))
            .map(|(_, count)| count)
            .sum()
    }

    /// Fails if anything else was answered: what is refused costs something else.
    pub(crate) fn expect_only(&self, status: u16) -> Result<(), Failure> {
        if self.answers.keys().all(|answered| *answered == status) {
            return Ok(());
        }
        Err(format!("not all answers were {status}: {:?}", self.answers).into())
    }

    pub(crate) fn per_second(&self) -> f64 {
        f64::from(self.count()) / self.elapsed.as_secs_f64()
    }

    /// The longest that anybody waited, but for one in a hundred answers.
    pub(crate) fn p99(mut self) -> Duration {
        self.latencies.sort_unstable();
        percentile(&self.latencies, 99)
    }

    pub(crate) fn summary(mut self) -> Summary {
        let per_second = hundredths(self.per_second());
        self.latencies.sort_unstable();
        let percentile = |percent| hundredths(percentile(&self.latencies, percent).as_secs_f64() * 1_000.0);
        Summary {
            per_second,
            p50_ms: percentile(50),
            p99_ms: percentile(99),
            max_ms: percentile(100),
            answers: self.answers,
        }
    }
}

/// The least that so many percent of all are not above. The list is in order.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// As exactly as anything here can be known.
pub(crate) fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values_and_no_more_than_its_share_lies_above() {
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

    #[tokio::test]
    async fn refusals_are_counted_by_themselves() {
        let mut tally = Tally::default();
        let statuses = [201, 201, 202, 409, 503];
        tally
            .add(&statuses, Duration::ZERO, async |status| Ok(*status))
            .await
            .unwrap();
        assert_eq!(tally.answers, [(201, 2), (202, 1), (409, 1), (503, 1)].into());
        assert_eq!(tally.count(), 3);
        assert_eq!(tally.latencies.len(), 5);
        assert!(tally.expect_only(201).is_err());
        assert!(Tally::default().expect_only(201).is_ok());
    }
}
